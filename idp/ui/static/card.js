// A phone that scans a card opens our page with the number behind the #, where no server sees it. Take it from there.
"use strict";
{
  const scanned = decodeURIComponent(location.hash.slice(1));
  if (/^[0-9A-Z]{4}(-[0-9A-Z]{4}){2}$/i.test(scanned)) {
    document.getElementById("card_number").value = scanned;
    history.replaceState(null, "", location.pathname + location.search);
  }
}
