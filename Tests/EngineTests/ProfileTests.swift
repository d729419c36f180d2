import TestSupport
import Testing

@testable import Engine

/// The profile of a training step.
@Suite(.serialized) struct ProfileTests {
  private let limits = OperationProfile.Limits(peak: 1e12, bandwidth: 1e11)

  /// A profiled step gives the same weights bit for bit, and a record of every operation.
  @Test(arguments: TestDevice.exact) func aProfiledStepIsTheSame(device: TestDevice) throws {
    let plain = TrainingStepTests.Network(try device.open(), seed: 4)
    let profiled = ProfiledBackend(try device.open(), limits: limits)
    let network = TrainingStepTests.Network(profiled, seed: 4)
    let before = profiled.operations
    for step in 1...3 {
      #expect(network.step(step, seed: 9) == plain.step(step, seed: 9))
    }
    #expect(
      profiled.values(of: network.store.values).map(\.bitPattern)
        == plain.backend.values(of: plain.store.values).map(\.bitPattern))

    let totals = Dictionary(uniqueKeysWithValues: profiled.profile.totals.map { ($0.operation, $0.total) })
    // Each of two layers has a fused product and two of the feed-forward part, in three steps.
    #expect(try #require(totals["product"]).calls >= 3 * 18)
    #expect(totals["attention"]?.calls == 6 && totals["attention backward"]?.calls == 6)
    #expect(totals["optimizer step"]?.calls == 3)
    let elements = plain.store.parameters.reduce(0) { $0 + $1.count }
    // A step reads weights, gradients, two moments and the norm, and writes weights and moments.
    #expect(totals["optimizer step"]?.bytes == 3 * (7 * 4 * elements + 8))
    // Only products count operations, and the totals hold every product.
    #expect(totals.values.reduce(0) { $0 + $1.operations } == profiled.operations - before)
    #expect(totals["product"].map { $0.operations > 0 } == true && totals["layer norm"]?.operations == 0)
    let seconds = totals.values.reduce(0) { $0 + $1.seconds }
    #expect(seconds > 0 && seconds <= profiled.profile.elapsed)
    for (operation, total) in totals {
      let least = max(Double(total.operations) / limits.peak, Double(total.bytes) / limits.bandwidth)
      #expect(total.limitSeconds >= least * (1 - 1e-9), "\(operation)")
    }
  }

  /// Events come in their order, each with its own time, and add up to the totals.
  @Test func eventsAddUp() throws {
    let profiled = ProfiledBackend(try CPUBackend(threads: 2), limits: limits)
    let network = TrainingStepTests.Network(profiled, seed: 4)
    _ = network.step(1, seed: 9)
    let events = profiled.profile.events
    for (operation, total) in profiled.profile.totals {
      let own = events.filter { $0.operation == operation }
      #expect(own.count == total.calls && own.reduce(0) { $0 + $1.bytes } == total.bytes, "\(operation)")
      #expect(own.reduce(0) { $0 + $1.operations } == total.operations, "\(operation)")
    }
    for (a, b) in zip(events, events.dropFirst()) { #expect(a.start + a.nanoseconds <= b.start) }
    let product = try #require(events.first { $0.operation == "product" })
    #expect(product.shape == [35, 32, 96] && product.thread == 1)
    // Weights, bias, input and result, once each.
    #expect(product.bytes == 4 * (35 * 32 + 96 * 32 + 96 + 35 * 96))
  }

  @Test func namesAreWords() {
    #expect(LayerNormBackward.name == "layer norm backward")
    #expect(TopK.name == "top k")
  }
}
