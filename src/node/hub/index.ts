// Files of the Hugging Face hub, in the cache that Python's huggingface_hub uses.
//
// Own code rather than @huggingface/hub: that one does not resume, checks no hash, ignores HF_ENDPOINT, HF_TOKEN and
// HF_HUB_OFFLINE, and names a snapshot's folder by the last commit of each file, where Python takes that of the revision.

export { HubError } from './errors.ts'
export { hubFile, localFiles } from './file.ts'
export { type HubListing, hubFiles } from './listing.ts'
export { cachedHubModel, type HubModel, hubModel } from './model.ts'
export { type HubRepo, parseHubId } from './repo.ts'
export { hubSettings } from './settings.ts'
