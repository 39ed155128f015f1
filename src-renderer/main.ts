/** Starts the page: connects to the host and mounts the one view. */
import './style.css'
import { mount } from 'svelte'
import { connect } from './transport/connect.ts'
import Overview from './views/Overview.svelte'

const target = document.getElementById('app')
if (!target) throw new Error('The page has no #app element.')
mount(Overview, { target, props: { api: connect() } })
