import Engine
import Foundation
import Model
import Tasks

let raw = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1]))) as! [String: Any]
let kind = CommandLine.arguments[2]
func t(_ layers: Int, _ pos: Int, _ vocab: Int?) -> TransformerConfiguration {
  .init(hiddenSize: 768, layers: layers, heads: 12, intermediateSize: 3072, positions: pos, vocabulary: vocab)
}
let config = ModelConfiguration(cross: t(6, 514, 50265), temporal: t(3, 514, nil), query: t(0, 514, nil), featureWidth: 4352)
let backend = try CPUBackend()
print(backend.summary)
let model = RetrievalModel(config, backend: backend)
model.store.initialize(seed: 1)
var random = RandomStream(seed: 3, stream: 9)
var lengths: [Int] = [], seqs: [SubtitleSequence] = [], queries: [[Int32]] = [], slots: [Int] = [], targets: [(start: Int, end: Int)] = []
var base = 0
for (i, v) in (raw["videos"] as! [[String: Any]]).enumerated() {
  let n = v["frames"] as! Int
  var used = Set<Int>()
  for s in v["subs"] as! [[Int]] {
    let f = (0..<s[1]).map { s[0] + $0 }.filter { used.insert($0).inserted }
    seqs.append(.init(frames: f.map { base + $0 }, tokens: (0..<s[2]).map { _ in Int32.random(in: 5..<50000, using: &random) }))
  }
  for q in v["queries"] as! [[Int]] {
    queries.append((0..<q[0]).map { _ in Int32.random(in: 5..<50000, using: &random) }); slots.append(i); targets.append((q[1], q[2]))
  }
  lengths.append(n); base += n
}
var features = [Float](); while features.count < base * 4352 { let (a, b) = random.normalPair(); features.append(a); features.append(b) }
let batch = RetrievalBatch(videos: VideoBatch(features: features, featureWidth: 4352, lengths: lengths, sequences: seqs), queries: queries, slots: slots, targets: targets)
let optimizer = Optimizer(.adamw, store: model.store, betas: (0.9, 0.98)) { _ in 0.01 }
func timed(_ name: String, _ body: () -> Void) { let s = DispatchTime.now().uptimeNanoseconds; body(); print(String(format: "  %@ %.3f", name, Double(DispatchTime.now().uptimeNanoseconds - s) * 1e-9)) }
for step in 0..<4 {
  if kind == "encode" {
    timed("encode") { _ = model.videoEncoder(.inference(backend), batch.videos) }
  } else {
    let start = DispatchTime.now().uptimeNanoseconds
    let tape = Tape.training(backend, seed: 1, step: UInt64(step))
    var loss = RetrievalLoss()
    timed("forward") { loss = model.loss(tape, batch, .init(), random: &random) }
    timed("backward") { tape.backward() }
    var norm = 0.0
    timed("norm") { norm = model.store.gradientNorm() }
    timed("update") { optimizer.step(learningRate: 1e-4, gradientScale: Float(min(1, 1 / norm))) ; model.store.clearGradients() }
    print(loss, norm, Double(DispatchTime.now().uptimeNanoseconds - start) * 1e-9, backend.memory)
  }
}
