// Tests are compiled by `npm run build` and run from dist. Processes rather than threads: some tests load native
// libraries, enter namespaces or end their own children.
export default {
  files: [
    '{sdk,core,test}/dist/**/*.test.js',
    '{plugins,tools}/*/dist/**/*.test.js',
    '!**/node_modules/**',
  ],
  workerThreads: false,
  // Without any test ending: a sweep of the simulator on a busy machine takes minutes.
  timeout: '400s',
  concurrency: 2,
}
