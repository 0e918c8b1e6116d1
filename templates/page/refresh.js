// Reloads the page when what it shows has changed. Served only by `dae serve`.
(() => {
  let seen = document.currentScript.dataset.seen;
  const listen = () => {
    const events = new EventSource("/_dae/refresh");
    events.onmessage = (event) => {
      if (seen !== event.data) location.reload();
      seen = event.data;
    };
    // A page that is left must not keep its connection: browsers have few of them for one host.
    addEventListener("pagehide", () => events.close(), { once: true });
  };
  listen();
  // Back from the browser's memory of pages, the connection is gone.
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
})();
