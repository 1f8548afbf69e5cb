// A link to a place that has moved leads to where it is now, and a link to the folded last section opens it.
{
  const follow = () => {
    const anchor = decodeURIComponent(location.hash.slice(1));
    const place = anchor && document.getElementById(anchor);
    if (place) {
      place.querySelector(":scope > details.lectures")?.setAttribute("open", "");
      return;
    }
    const table = document.getElementById("moved");
    const now = table && JSON.parse(table.textContent)[anchor];
    if (now) location.replace(new URL(now, location.href));
  };
  addEventListener("DOMContentLoaded", follow);
  addEventListener("hashchange", follow);
}
