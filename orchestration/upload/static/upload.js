"use strict";
// Everything works without this file: it adds dropping a file and says that something is going on.

const drop = document.getElementById("drop");
if (drop) {
  const input = document.getElementById("file");
  const chosen = document.getElementById("chosen");
  const tell = () => {
    const file = input.files[0];
    if (!file) {
      chosen.textContent = "";
      return;
    }
    const isTooLarge = file.size > Number(drop.dataset.limit);
    const size = file.size < 1048576
      ? `${Math.ceil(file.size / 1024)} KB` : `${(file.size / 1048576).toFixed(1)} MB`;
    chosen.textContent = `${file.name}, ${size}`;
    input.setCustomValidity(isTooLarge ? "The file is larger than this page takes." : "");
    if (isTooLarge) input.reportValidity();
  };
  input.addEventListener("change", tell);
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => drop.classList.remove("over"));
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length !== 1) {
      chosen.textContent = "One file at a time, please.";
      return;
    }
    input.files = event.dataTransfer.files;
    tell();
  });
}

for (const form of document.forms) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[data-busy]");
    if (button) {
      button.disabled = true;
      button.textContent = button.dataset.busy;
    }
  });
}

// Going back must not leave a button that says it is busy.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) window.location.reload();
});
