// The paste listener: pictures pasted anywhere on the page are handed to the page's file uploader, as if dropped there.

const UPLOADER = '[data-testid="stFileUploader"] input[type="file"]';
let pasted = 0; // browsers call every pasted picture image.png: numbers tell them apart

function named(file) {
  pasted += 1;
  const ending = file.type.split("/")[1]?.replace("jpeg", "jpg") ?? "png";
  return file.name && file.name !== "image.png" ? file : new File([file], `pasted-${pasted}.${ending}`, { type: file.type });
}

function onPaste(event) {
  const files = [...(event.clipboardData?.files ?? [])].map(named);
  const input = document.querySelector(UPLOADER);
  if (!files.length || !input) return; // pasted text keeps its default handling
  event.preventDefault();
  const transfer = new DataTransfer();
  for (const file of input.multiple ? files : files.slice(0, 1)) transfer.items.add(file);
  input.files = transfer.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

let calls = 0;

// Streamlit calls this at every change of data or theme, and what it gets back once the root has left the page (that of a
// call that was overtaken at once: the next one still listens).
export default function listen() {
  const call = ++calls;
  document.addEventListener("paste", onPaste);
  return () => {
    if (call === calls) document.removeEventListener("paste", onPaste);
  };
}
