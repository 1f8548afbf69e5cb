// In JupyterLite: a line at the foot of the window, with the way back to the chapter's page, and how far Run All has come.
addEventListener("DOMContentLoaded", () => {
  const page = new URLSearchParams(location.search).get("path")?.replace(/\.ipynb$/, "");
  if (!/^[\w/-]+$/.test(page ?? "")) return;
  const line = document.createElement("div"), said = document.createElement("span"), back = document.createElement("a");
  line.id = "book-line";
  line.style = `position: fixed; z-index: 100; bottom: 0; left: 0; right: 0; display: flex; flex-wrap: wrap; gap: 0 1.5rem;
    justify-content: space-between; padding: 0.2rem 1rem; font: 14px/1.6 system-ui, sans-serif; color: #222;
    background: #fff; border-top: 1px solid #888`;
  back.href = `../../${page}.html`;
  back.textContent = "Back to the page of this chapter";
  back.style.color = "#0b57a5";
  said.setAttribute("role", "status");
  line.append(back, said);
  document.body.append(line);

  let all = 0;
  setInterval(() => {
    const cells = window.jupyterapp?.shell.currentWidget?.content?.widgets ?? [];
    const waiting = cells.filter(cell => cell.prompt === "*").length;
    if (!waiting && !all) return;
    all = Math.max(all, waiting);
    const text = waiting && waiting === all ? `Python is starting, ${all} cells wait` : waiting ? `Running: ${all - waiting} of ${all} cells are done` : `Done: ${all} of ${all} cells have run`;
    if (said.textContent !== text) said.textContent = text;
    if (!waiting) all = 0;
  }, 250);
});
