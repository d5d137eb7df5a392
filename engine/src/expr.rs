//! CEL expressions and `${{ }}` templates behind an own type, with bounded compilation and evaluation.
