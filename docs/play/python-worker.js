// Python, in a worker: it loads Pyodide and the wheels, whose hashes it compares, and answers the page's requests.

import {loadPyodide} from "./pyodide/pyodide.mjs";

const LATER = 5; // pictures that one request may wait for
const waiting = new Map(); // what takes the picture, by its number
let asked = 0,
  python = null;

const hex = bytes => [...new Uint8Array(bytes)].map(byte => byte.toString(16).padStart(2, "0")).join("");

// Tell the page how much has come; the sizes are those of the manifest, since what is sent is compressed.
function counting(files) {
  const plain = self.fetch,
    here = new URL("./", self.location).href;
  const total = Object.entries(files)
    .filter(([name]) => name.startsWith("pyodide/") || name.startsWith("wheels/"))
    .reduce((sum, [, file]) => sum + file.bytes, 0);
  let come = 0,
    told = 0;
  self.fetch = async (...request) => {
    const response = await plain(...request);
    const name = response.url.startsWith(here) ? response.url.slice(here.length) : "";
    if (!response.ok || !response.body || !(name in files)) return response;
    const reader = response.body.getReader();
    const body = new ReadableStream({
      async pull(stream) {
        const {done, value} = await reader.read();
        if (done) return stream.close();
        come += value.length;
        if (performance.now() - told > 60 || come >= total) {
          told = performance.now();
          postMessage({come, total});
        }
        stream.enqueue(value);
      },
    });
    return new Response(body, {status: response.status, headers: response.headers});
  };
}

async function get(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: the server answers ${response.status}`);
  return response;
}

async function wheel(name, {sha256}) {
  const bytes = await (await get(name)).arrayBuffer();
  if (self.crypto?.subtle) {
    const found = hex(await crypto.subtle.digest("SHA-256", bytes));
    if (found !== sha256) throw new Error(`${name} has the hash ${found}, not ${sha256}: reload the page`);
  }
  return bytes;
}

async function start() {
  const {files} = await (await get("manifest.json")).json();
  counting(files);
  const wheels = Object.entries(files).filter(([name]) => name.endsWith(".whl"));
  const [loaded, source, ...archives] = await Promise.all([
    loadPyodide({indexURL: new URL("./pyodide/", self.location).href}),
    get("play.py").then(response => response.text()),
    ...wheels.map(([name, file]) => wheel(name, file)),
  ]);
  postMessage({stage: "Starting Python…"});
  for (const archive of archives) loaded.unpackArchive(archive, "wheel");
  loaded.FS.writeFile("/home/pyodide/play.py", source);
  python = loaded.pyimport("play");
  python.begin();
  const {result} = JSON.parse(python.call("version", "[]"));
  postMessage({ready: result});
}

function drawn(source) {
  return new Promise((resolve, reject) => {
    waiting.set(++asked, {resolve, reject});
    postMessage({draw: source, picture: asked});
  });
}

// Ask Python; where it wants a picture have it drawn, and ask again.
async function answer(name, given) {
  for (let k = 0; k < LATER; k++) {
    const found = JSON.parse(python.call(name, JSON.stringify(given)));
    if (found.wanted === undefined) return found;
    try {
      python.keep(found.wanted, await drawn(found.wanted));
    } catch (error) {
      return {error: error.message};
    }
  }
  return {error: `${name} needs more than ${LATER} pictures`};
}

// The lines of a cell are run once, so that a picture that they ask for is drawn here and at once.
async function run(code) {
  const {instance} = await import("./viz.js");
  const graphviz = await instance();
  const draw = (source, format) => {
    if (format !== "svg") throw new Error(`this page draws svg, not ${format}`);
    return graphviz.renderString(source, {format, engine: "dot"});
  };
  const error = python.run(code, text => postMessage({printed: text}), draw);
  if (error) return {error};
  return answer("shown", []);
}

addEventListener("message", async ({data}) => {
  if (data.picture !== undefined) {
    const {resolve, reject} = waiting.get(data.picture);
    waiting.delete(data.picture);
    return data.svg === undefined ? reject(new Error(data.error)) : resolve(data.svg);
  }
  const {request, name, given} = data;
  try {
    postMessage({request, ...(name === "run" ? await run(...given) : await answer(name, given))});
  } catch (error) {
    postMessage({fatal: String(error?.message ?? error)}); // of Python's interpreter itself
  }
});

start().catch(error => postMessage({broken: String(error?.message ?? error)}));
