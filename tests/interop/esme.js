// An ESME made of the npm package smpp: `node esme.js PORT SYSTEM_ID PASSWORD`.
//
// Binds and tells what it gets as lines of JSON on stdout. Each line of JSON on stdin,
// {source, destination, coding, parts: [{udh, text}]}, is submitted with a receipt asked for. At
// the end of its stdin it unbinds and ends.
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const [port, system_id, password] = process.argv.slice(2);

function tell(fact) {
	process.stdout.write(JSON.stringify(fact) + '\n');
}

const session = smpp.connect({ host: '127.0.0.1', port: Number(port) }, () => {
	session.bind_transceiver({ system_id, password }, (pdu) => {
		tell({ type: 'bound', status: pdu.command_status, system_id: pdu.system_id });
		readline.createInterface({ input: process.stdin })
			.on('line', (line) => submit(JSON.parse(line)))
			.on('close', () => session.unbind(() => {
				tell({ type: 'unbound' });
				session.close();
			}));
	});
});
session.on('deliver_sm', (pdu) => {
	tell({
		type: pdu.esm_class & 0x04 ? 'receipt' : 'inbound',
		source: pdu.source_addr,
		destination: pdu.destination_addr,
		text: pdu.short_message.message,
		id: pdu.receipted_message_id,
		state: pdu.message_state,
	});
	session.send(pdu.response());
});
session.on('enquire_link', (pdu) => session.send(pdu.response()));
session.on('error', (error) => tell({ type: 'error', message: String(error) }));

function submit({ source, destination, coding, parts }) {
	for (const { udh, text } of parts) {
		session.submit_sm({
			source_addr: source,
			destination_addr: destination,
			data_coding: coding,
			registered_delivery: 1,
			short_message: { udh: Buffer.from(udh, 'hex'), message: text },
		}, (pdu) => tell({ type: 'taken', status: pdu.command_status, id: pdu.message_id }));
	}
}
