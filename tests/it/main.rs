//! The integration suite: one program, so that its dependencies are linked once.
