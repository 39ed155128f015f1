/** Starts the page: fonts and tokens, the connection to the host, the frame. */
import '@fontsource-variable/inter'
import '@fontsource-variable/jetbrains-mono'
import './style.css'
import { mount } from 'svelte'
import App from './App.svelte'
import { connect } from './transport/connect.ts'

const target = document.getElementById('app')
if (!target) throw new Error('The page has no #app element.')
mount(App, { target, props: { api: connect() } })
