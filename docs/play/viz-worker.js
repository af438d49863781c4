// Graphviz, in a worker of its own, since nothing but the worker's end stops it.

import {instance} from "./viz.js";

const ready = instance();

addEventListener("message", async ({data: {source, picture}}) => {
  try {
    const svg = (await ready).renderString(source, {format: "svg", engine: "dot"});
    postMessage({picture, svg});
  } catch (error) {
    postMessage({picture, error: `Graphviz: ${error.message}`});
  }
});
