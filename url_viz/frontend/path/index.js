// A path, which a button copies.

// On a page without https the clipboard is closed to scripts: the path is then marked, to be copied by Ctrl+C.
async function copied(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return "Copied";
  } catch {
    (element.getRootNode().getSelection?.() ?? document.getSelection()).selectAllChildren(element);
    return "Marked: copy it with Ctrl+C";
  }
}

// Streamlit calls this at every change of data or theme.
export default function show({ parentElement, data }) {
  const [path, button, said] = ["h3", "button", ".said"].map((selector) => parentElement.querySelector(selector));
  if (path.textContent !== data.path) said.textContent = "";
  path.textContent = data.path;
  path.parentElement.classList.toggle("title", data.is_title);
  button.onclick = async () => {
    said.textContent = await copied(path);
  };
}
