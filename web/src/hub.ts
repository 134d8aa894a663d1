/** Whether this is the page whose content security policy lets it reach the hub (`hub.html`). */
export const MAY_REACH_HUB = document.documentElement.dataset.hub === 'yes'
