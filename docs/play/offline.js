// The service worker: it keeps the files of the playground, so that a second visit needs no network.
// The build fills in the version and the list. A new version takes over when no page of the old one is open.

const VERSION = "VERSION",
  FILES = [/* FILES */],
  NAME = `autograd-mini-play-${VERSION}`;

addEventListener("install", event => event.waitUntil(caches.open(NAME).then(cache => cache.addAll(FILES))));

addEventListener("activate", event => event.waitUntil(takeOver()));

async function takeOver() {
  for (const name of await caches.keys()) {
    if (name.startsWith("autograd-mini-play-") && name !== NAME) await caches.delete(name);
  }
  await clients.claim(); // from the first visit on, new workers and frames need no network
}

addEventListener("fetch", event => {
  const {method, url} = event.request;
  if (method !== "GET" || new URL(url).origin !== location.origin) return;
  const kept = caches.open(NAME).then(cache => cache.match(event.request, {ignoreSearch: true}));
  event.respondWith(kept.then(found => found ?? fetch(event.request)));
});
