/** cluster.xml without one node. */
import test from 'ava'
import { withoutNode } from './without.js'

test('only the node goes, on every LAN, and the rest of the text stays as it was', (t) => {
  const xml = `<cluster>
  <!-- <node name="n2"/> -->
  <lans port="4800">
    <lan name="a"><node name="n1" addr="10.0.0.1"/><node addr='10.0.0.2' name='n2'/></lan>
    <lan name="b">
      <node name="n1" addr="10.1.0.1"/>
      <node name="n2"
            addr="10.1.0.2"></node>
      <node name="n22" addr="10.1.0.22"/>
    </lan>
  </lans>
</cluster>
`
  t.is(
    withoutNode(xml, 'n2'),
    `<cluster>
  <!-- <node name="n2"/> -->
  <lans port="4800">
    <lan name="a"><node name="n1" addr="10.0.0.1"/></lan>
    <lan name="b">
      <node name="n1" addr="10.1.0.1"/>
      <node name="n22" addr="10.1.0.22"/>
    </lan>
  </lans>
</cluster>
`,
  )
  t.is(withoutNode(xml, 'n3'), xml)
})
