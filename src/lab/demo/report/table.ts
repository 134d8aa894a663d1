import { columns } from '../../../report/text.ts'
import type { Accuracy, Curve, DemoResult, TaskResult } from './types.ts'

/** A line of the table for each method of a task. */
export interface TableRow {
  readonly task: string
  readonly classes: string
  readonly method: string
  /** Cells under 0 shots and under each number of shots, in %. */
  readonly cells: readonly string[]
}

export interface ResultTable {
  readonly shots: readonly number[]
  readonly rows: readonly TableRow[]
}

/** The figures of a result: mean and deviation for each task and method, the average of the tasks last. */
export function tableOf(result: DemoResult): ResultTable {
  const { shots } = result.settings
  const average: TaskFigures = { ...result, title: 'Average', classes: undefined }
  const shifted = result.tasks.filter((task) => task.shift)
  const plain = result.tasks.filter((task) => !task.shift)
  const named = shifted.map((task) => ({ ...task, title: `${task.title} (shift of style)` }))
  return { shots, rows: [...plain, average, ...named].flatMap((task) => rowsOf(task, shots)) }
}

type TaskFigures = Pick<TaskResult, 'title' | 'chance' | 'zeroShot' | 'coop' | 'coopCsc'> & {
  classes: number | undefined
}

function rowsOf(task: TaskFigures, shots: readonly number[]): TableRow[] {
  const empty = shots.map(() => '')
  const curve = (of: Curve) => ['', ...shots.map((count) => cell(of[count]))]
  const first = { task: task.title, classes: task.classes === undefined ? '' : String(task.classes) }
  const rest = { task: '', classes: '' }
  return [
    { ...first, method: 'chance', cells: [number(task.chance), ...empty] },
    { ...rest, method: 'zero-shot', cells: [number(task.zeroShot), ...empty] },
    { ...rest, method: 'CoOp, one context', cells: curve(task.coop) },
    { ...rest, method: 'CoOp, class-specific', cells: curve(task.coopCsc) },
  ]
}

const number = (fraction: number): string => (100 * fraction).toFixed(1)
const cell = (accuracy: Accuracy | undefined): string =>
  accuracy ? `${number(accuracy.mean)} ± ${number(accuracy.sd)}` : ''

/** The table as text for a terminal: a task's name stands on a line of its own above its methods. */
export function resultTable(result: DemoResult): string {
  const { shots, rows } = tableOf(result)
  const lines = rows.flatMap(({ task, classes, method, cells }) => {
    const heading = task ? [[classes ? `${task}, ${classes} classes` : task]] : []
    return [...heading, [`  ${method}`, ...cells]]
  })
  return columns([['accuracy in %', '0 shots', ...shots.map(String)], ...lines])
}
