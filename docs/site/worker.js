// Web workers for pages that are opened as files, where browsers start none: search runs in a hidden frame there.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      inside.document.open(); // or Firefox puts an empty page in its place later
      inside.document.write("<body></body>");
      inside.document.close();
      inside.postMessage = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      const script = inside.document.createElement("script");
      script.src = url;
      const isLoaded = new Promise((loaded) => script.addEventListener("load", loaded));
      inside.document.body.append(script);
      this.postMessage = (data) =>
        isLoaded.then(() => inside.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) })));
      this.terminate = () => frame.remove();
    }
  };
}
