// The page's half of the transport: anywidget's model over a WebSocket.
import label from "./label.js";

const SLOWEST = 4000; // milliseconds between two tries
const FINAL = {
  4403: "This address is no longer valid: open the one that astromorph prints in the terminal.",
  4409: "This list was opened in another window: go on there, or reload this one.",
};

class Model {
  constructor(address) {
    Object.assign(this, { address, listeners: new Set(), wait: 100, socket: null });
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = 100;
      this.tell({ type: "connection", open: true });
    };
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ code }) => {
      this.tell({ type: "connection", open: false, final: FINAL[code] });
      if (FINAL[code]) return;
      setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, SLOWEST);
    };
    this.socket = socket;
  }

  /** Text is a message; bytes are the length of a message, the message, and a picture. */
  receive(data) {
    if (typeof data === "string") return this.tell(JSON.parse(data));
    const length = new DataView(data).getUint32(0);
    const message = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.tell(message, [new DataView(data, 4 + length)]);
  }

  tell(message, buffers = []) {
    for (const listener of this.listeners) listener(message, buffers);
  }

  /** What is sent without a connection is lost: the label sends again what matters. */
  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  on(event, listener) {
    if (event === "msg:custom") this.listeners.add(listener);
  }

  off(event, listener) {
    this.listeners.delete(listener);
  }

  get() {}

  set() {}

  save_changes() {}
}

const address = new URL("talk", document.baseURI);
address.protocol = address.protocol.replace("http", "ws");
address.search = location.search;
label.render({ model: new Model(address), el: document.body });

// There is nothing else on the page that keys could be for.
const root = document.querySelector(".am-root");
document.addEventListener("keydown", (event) => {
  if (event.target !== document.body) return;
  root.focus();
  root.dispatchEvent(new KeyboardEvent("keydown", event));
});
