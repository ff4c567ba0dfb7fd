// One line for each test, and a bound on how long a thing may take.

export async function within(limitMs, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// Runs a test, which returns a line of what it saw. `evidence` returns what helps to understand a failure.
export async function report(name, test, evidence = () => '') {
  const started = Date.now();
  const took = () => `${((Date.now() - started) / 1000).toFixed(1)} s  ${name}`;
  try {
    const summary = await test();
    console.log(`ok   ${took()}  ${summary}`);
    return true;
  } catch (error) {
    console.log(`FAIL ${took()}\n${error.stack}\n${evidence()}`);
    process.exitCode = 1;
    return false;
  }
}
