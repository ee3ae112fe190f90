// Shows the forms for passkeys where the browser has them, and tells when one did not answer.
// django-allauth's scripts do the rest.
for (const form of document.querySelectorAll("[data-passkey]")) form.hidden = !window.PublicKeyCredential
document.addEventListener("allauth.error", (event) => {
  event.preventDefault()
  document.getElementById("passkey-problem").hidden = false
})
