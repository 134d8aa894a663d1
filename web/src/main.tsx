import { render } from 'preact'
import { App } from './app.tsx'
import { keepForOffline } from './offline.ts'
import { listSamples } from './samples.ts'
import { lookForRuns } from './server.ts'
import { lookForCutOff } from './state/kept.ts'
import { openModel, startLooking } from './state/model.ts'
import { startMeasuring } from './state/prompts.ts'
import { startSplitting } from './state/task.ts'
import './style/index.css'

startLooking()
startSplitting()
startMeasuring()
void openModel().then(lookForRuns).then(keepForOffline)
void listSamples()
void lookForCutOff()

const root = document.getElementById('app')
if (root) render(<App />, root)
