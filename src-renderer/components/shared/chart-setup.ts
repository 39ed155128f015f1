/** The one place that knows Chart.js' parts: only those registered here get into the bundle. */
import {
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Tooltip,
} from 'chart.js'
import { MatrixController, MatrixElement } from 'chartjs-chart-matrix'
import type { ChartColours } from './chart-colours.ts'

Chart.register(
  ...[BarController, LineController, ScatterController, MatrixController],
  ...[BarElement, LineElement, PointElement, MatrixElement],
  ...[CategoryScale, LinearScale, LogarithmicScale, Legend, Tooltip],
)

/** How every chart looks unless it says otherwise. Charts that exist keep their looks until they are made again. */
export function setChartDefaults({ ink, quiet, line, surface }: ChartColours): void {
  const { defaults } = Chart
  Object.assign(defaults, { animation: false, maintainAspectRatio: false, color: quiet, borderColor: line })
  Object.assign(defaults.font, { family: "'Inter Variable', system-ui, sans-serif", size: 11 })
  Object.assign(defaults.plugins.legend, { position: 'bottom', align: 'start' })
  Object.assign(defaults.plugins.legend.labels, { boxWidth: 10, boxHeight: 10, usePointStyle: true })
  Object.assign(defaults.plugins.tooltip, {
    backgroundColor: surface,
    titleColor: ink,
    bodyColor: ink,
    footerColor: quiet,
    borderColor: quiet,
    borderWidth: 1,
    cornerRadius: 4,
  })
}

export { Chart }
