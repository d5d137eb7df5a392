// The SDK takes it from Node.js 22; with Node.js 20 this is all that is missing.

Promise.withResolvers ??= function withResolvers() {
  let resolve, reject;
  const promise = new this((resolved, rejected) => {
    resolve = resolved;
    reject = rejected;
  });
  return { promise, resolve, reject };
};
