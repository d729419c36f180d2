import TestSupport
import Testing

@testable import Engine

/// What a profile says of a training step.
@Suite(.serialized) struct ProfileTests {
  private let limits = OperationProfile.Limits(peak: 1e12, bandwidth: 1e11)

  /// The same weights to the last bit, with a record of every operation.
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
    // Two layers: a fused product, two of the feed-forward part, in three steps.
    for operation in [ProfiledOperation.linear, .linearBackward] {
      #expect(try #require(totals[operation]).calls >= 18, "\(operation)")
    }
    #expect(totals[.attention]?.calls == 6 && totals[.attentionBackward]?.calls == 6)
    #expect(totals[.optimizerStep]?.calls == 3)
    let elements = plain.store.parameters.reduce(0) { $0 + $1.count }
    #expect(totals[.optimizerStep]?.bytes == 3 * 7 * 4 * elements)
    // Every product is some operation's, and only products count.
    #expect(totals.values.reduce(0) { $0 + $1.operations } == profiled.operations - before)
    #expect(totals[.linear].map { $0.operations > 0 } == true && totals[.layerNorm]?.operations == 0)
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
    let product = try #require(events.first { $0.operation == .linear })
    #expect(product.shape == [35, 32, 96] && product.thread == 1)
    // Weights, bias, input and result, once each.
    #expect(product.bytes == 4 * (35 * 32 + 96 * 32 + 96 + 35 * 96))
  }

  @Test func namesAreWords() {
    #expect(ProfiledOperation.layerNormBackward.name == "layer norm backward")
    #expect(ProfiledOperation.topK.name == "top k")
    #expect(Set(ProfiledOperation.allCases.map(\.name)).count == ProfiledOperation.allCases.count)
  }
}
