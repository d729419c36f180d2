import Engine
import Testing

@testable import Tasks

/// The random choices of pre-training, over 10⁵ draws each.
///
/// Shares must be within five standard deviations.
struct MaskingTests {
  private static let draws = 100_000

  private func expectShare(
    _ hits: Int, of total: Int, is share: Double, _ what: Comment,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let deviation = (share * (1 - share) / Double(total)).squareRoot()
    #expect(
      abs(Double(hits) / Double(total) - share) <= 5 * deviation, what, sourceLocation: sourceLocation)
  }

  @Test func wordsAreMaskedReplacedAndKept() {
    let length = 200
    let replacements: Range<Int32> = 40..<57
    var random = RandomStream(seed: 7, stream: 1)
    var (chosen, masked, replaced, kept) = (0, 0, 0, 0)
    var counts: [Int32: Int] = [:]
    for _ in 0..<Self.draws / length {
      // No word is a replacement or the mask.
      let words = (0..<length).map { Int32(100 + $0) }
      let (hidden, places) = Masking.words(
        words, probability: 0.15, mask: 4, replacements: replacements, random: &random)
      chosen += places.count
      #expect(places == places.sorted() && Set(places).count == places.count)
      for place in words.indices where !places.contains(place) { #expect(hidden[place] == words[place]) }
      for place in places {
        switch hidden[place] {
        case 4: masked += 1
        case words[place]: kept += 1
        default:
          replaced += 1
          counts[hidden[place], default: 0] += 1
        }
      }
    }
    expectShare(chosen, of: Self.draws, is: 0.15, "chosen")
    expectShare(masked, of: chosen, is: 0.8, "masked")
    expectShare(replaced, of: chosen, is: 0.1, "replaced")
    expectShare(kept, of: chosen, is: 0.1, "kept")
    #expect(Set(counts.keys) == Set(replacements), "every word of the range, and no other")
    for count in counts.values {
      expectShare(count, of: replaced, is: 1 / Double(replacements.count), "a replacement")
    }
  }

  @Test func atLeastOneWordIsMasked() {
    var random = RandomStream(seed: 8, stream: 1)
    var (first, alone) = (0, 0)
    for _ in 0..<Self.draws {
      let (hidden, places) = Masking.words(
        [10, 11], probability: 0.15, mask: 4, replacements: 40..<41, random: &random)
      #expect(!places.isEmpty)
      if places.contains(0) { first += 1 }
      if places == [0], hidden[0] == 4 { alone += 1 }
    }
    // The first word is drawn, or stands in if none is; then it is always masked.
    expectShare(first, of: Self.draws, is: 0.15 + 0.85 * 0.85, "first")
    expectShare(alone, of: Self.draws, is: 0.15 * 0.85 * 0.8 + 0.85 * 0.85, "first alone, masked")
  }

  @Test func framesAreHidden() {
    let length = 100
    var random = RandomStream(seed: 9, stream: 1)
    var hidden = 0
    for _ in 0..<Self.draws / length {
      let frames = Masking.frames(length, probability: 0.15, random: &random)
      #expect(frames == frames.sorted() && frames.allSatisfy { (0..<length).contains($0) })
      hidden += frames.count
    }
    expectShare(hidden, of: Self.draws, is: 0.15, "hidden")
  }

  @Test func atLeastOneFrameIsHiddenAnyOfThem() {
    var random = RandomStream(seed: 10, stream: 1)
    var alone = [0, 0, 0]
    for _ in 0..<Self.draws {
      let frames = Masking.frames(3, probability: 0.15, random: &random)
      #expect(!frames.isEmpty)
      if frames.count == 1 { alone[frames[0]] += 1 }
    }
    for count in alone {
      expectShare(count, of: Self.draws, is: 0.15 * 0.85 * 0.85 + 0.85 * 0.85 * 0.85 / 3, "one frame")
    }
    #expect(Masking.frames(1, probability: 0, random: &random) == [0])
  }

  @Test func movedFramesChangePlacesAmongThemselves() {
    let (length, limit) = (100, 80)
    var random = RandomStream(seed: 11, stream: 1)
    var drawn = 0
    for _ in 0..<Self.draws / limit {
      let (order, moved) = Masking.order(length, among: limit, probability: 0.15, random: &random)
      drawn += moved.count
      #expect(order.sorted() == Array(0..<length))
      #expect(Set(moved.map { order[$0] }) == Set(moved))
      #expect(moved.allSatisfy { $0 < limit })
      for frame in 0..<length where !moved.contains(frame) { #expect(order[frame] == frame) }
    }
    expectShare(drawn, of: Self.draws / limit * limit, is: 0.15, "moved")
  }

  @Test func everyPermutationIsAsLikely() {
    var random = RandomStream(seed: 12, stream: 1)
    var counts: [[Int]: Int] = [:]
    for _ in 0..<Self.draws {
      counts[Masking.order(3, among: 3, probability: 1, random: &random).order, default: 0] += 1
    }
    #expect(counts.count == 6)
    for (order, count) in counts { expectShare(count, of: Self.draws, is: 1 / 6, "\(order)") }
  }

  @Test func samplesTakeEveryCandidateAsOften() {
    let candidates = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233]
    var random = RandomStream(seed: 13, stream: 1)
    var counts: [Int: Int] = [:]
    for _ in 0..<Self.draws {
      let sample = Masking.sample(5, of: candidates, random: &random)
      #expect(sample.count == 5)
      for candidate in sample { counts[candidate, default: 0] += 1 }
    }
    #expect(Set(counts.keys) == Set(candidates))
    for count in counts.values { expectShare(count, of: Self.draws, is: 5 / 12, "a candidate") }
    #expect(Masking.sample(5, of: [4, 6], random: &random) == [4, 6])
  }
}
