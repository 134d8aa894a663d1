import { circle, type LineChart, type Panel, type Series, square } from '../../../report/line-chart.ts'
import { COLOURS } from '../../../report/svg.ts'
import type { Curve, DemoResult } from './types.ts'

type Figures = Pick<DemoResult, 'zeroShot' | 'coop' | 'coopCsc'>

/** Accuracy of the demo over shots, the average first and then a panel a task, as in the paper's Figure 3. */
export function fewShotChart(result: DemoResult): LineChart {
  const plain = result.tasks.filter((task) => !task.shift).length
  const tasks = result.tasks.map((task) => panelOf(task.shift ? `${task.title} (shift of style)` : task.title, task))
  return {
    title: 'Accuracy by training images per class',
    note: 'accuracy in % by images per class',
    stops: [0, ...result.settings.shots],
    panels: [{ ...panelOf(`Average over ${plain} tasks`, result), strong: true }, ...tasks],
  }
}

function panelOf(title: string, { zeroShot, coop, coopCsc }: Figures): Panel {
  return {
    title,
    levels: [{ label: 'zero-shot, hand-written prompt', colour: COLOURS.zeroShot, value: 100 * zeroShot }],
    series: [
      { label: 'CoOp, one context', colour: COLOURS.coop, marker: circle, points: pointsOf(coop) },
      { label: 'CoOp, a context for each class', colour: COLOURS.csc, marker: square, points: pointsOf(coopCsc) },
    ],
  }
}

const pointsOf = (curve: Curve): Series['points'] =>
  Object.entries(curve).map(([shots, { mean, sd }]) => ({ x: Number(shots), mean: 100 * mean, sd: 100 * sd }))
