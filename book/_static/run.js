// A click on "Run this chapter in your browser" leads to JupyterLite where that can work, and says why where it cannot.
document.addEventListener("click", async event => {
  const link = event.target.closest(".run-chapter-start");
  if (!link) return;
  const message = link.closest(".run-chapter").querySelector(".run-chapter-message");
  if (location.protocol === "file:") {
    event.preventDefault();
    const code = text => Object.assign(document.createElement("code"), { textContent: text });
    message.replaceChildren(
      "A chapter can run only where the book comes from a web server, and this page is a file on your disk. Open a " +
      "terminal in the folder of the book's index.html, type ", code("python3 -m http.server"), " (on Windows ",
      code("py -m http.server"), "), leave it open, and go to ", code("http://localhost:8000"), " in the browser.");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  message.textContent = "Looking for Python …";
  try {
    const answer = await fetch(link.dataset.python, { signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.status);
    await answer.text();
    message.textContent = "";
    location.assign(link.href);
  } catch {
    message.textContent = "Python for the browser cannot be downloaded: " + new URL(link.dataset.python).host +
      " does not answer. Try again later, or download the notebook and run it on your computer.";
  }
});

// Its menu closes as others do: by Escape, which gives the focus back, and by a click elsewhere.
document.addEventListener("keydown", event => {
  const menu = document.querySelector("details.run-chapter[open]");
  if (event.key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", event => {
  const menu = document.querySelector("details.run-chapter[open]");
  if (menu && !menu.contains(event.target)) menu.open = false;
});
