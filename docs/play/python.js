// The page's end of Python's worker and of Graphviz's: requests, time limits, and a new start after a stop.

const DRAWING = 20; // seconds that a picture may take

export class Stopped extends Error {}

function drawer() {
  let worker = null;
  const waiting = new Map();
  const end = message => {
    worker?.terminate();
    worker = null;
    for (const {fail} of waiting.values()) fail(message);
    waiting.clear();
  };
  const begin = () => {
    worker = new Worker("viz-worker.js", {type: "module"});
    worker.onmessage = ({data}) => waiting.get(data.picture)?.done(data);
    worker.onerror = event => end(`Graphviz does not start: ${event.message}`);
  };
  return {
    end,
    draw: (source, picture) =>
      new Promise(resolve => {
        if (!worker) begin();
        const limit = setTimeout(
          () => end(`the picture took more than ${DRAWING} s: draw fewer nodes`),
          DRAWING * 1000,
        );
        const done = data => {
          clearTimeout(limit);
          waiting.delete(picture);
          resolve(data);
        };
        waiting.set(picture, {done, fail: error => done({picture, error})});
        worker.postMessage({source, picture});
      }),
  };
}

// `tell` hears of the start: {come, total}, {stage}, {ready}, {broken}; and of what a cell prints: {printed}.
export function startPython(tell) {
  const graphviz = drawer();
  let worker, requests, count, ready;

  function begin() {
    requests = new Map();
    count = 0;
    worker = new Worker("python-worker.js", {type: "module"});
    ready = new Promise((resolve, reject) => {
      worker.onmessage = async ({data}) => {
        const {request, result, error} = data;
        if (request !== undefined) {
          const {resolve, reject} = requests.get(request);
          requests.delete(request);
          return error === undefined ? resolve(result) : reject(new Error(error));
        }
        if (data.draw !== undefined) {
          const to = worker;
          return to.postMessage(await graphviz.draw(data.draw, data.picture));
        }
        if (data.fatal !== undefined) return stop(`Python ended: ${data.fatal}. It starts again.`);
        if (data.ready) resolve();
        if (data.broken !== undefined) reject(new Error(data.broken));
        tell(data);
      };
      worker.onerror = event => {
        const message = event.message ?? "a worker does not start";
        reject(new Error(message));
        tell({broken: message});
      };
    });
    ready.catch(() => {});
  }

  function stop(message) {
    worker.terminate();
    graphviz.end(message);
    const open = [...requests.values()];
    begin();
    for (const {reject} of open) reject(new Stopped(message));
  }

  // Ask for something; past the limit, in seconds, Python is ended and starts again.
  async function ask(name, given, seconds) {
    await ready;
    return new Promise((resolve, reject) => {
      const request = ++count;
      const limit = setTimeout(
        () => stop(`stopped: it took more than ${seconds} s. Python starts again.`),
        seconds * 1000,
      );
      const free = then => x => {
        clearTimeout(limit);
        then(x);
      };
      requests.set(request, {resolve: free(resolve), reject: free(reject)});
      worker.postMessage({request, name, given});
    });
  }

  begin();
  return {ask, stop, ready: () => ready};
}
