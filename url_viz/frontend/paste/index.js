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

// Streamlit calls this at every change of data or theme, and the last returned function once the root leaves the page.
export default function listen() {
  document.removeEventListener("paste", onPaste);
  document.addEventListener("paste", onPaste);
  return () => document.removeEventListener("paste", onPaste);
}
