import Engine

/// The random choices of the objectives (Docs/Computation.md §3), each a function of its stream.
enum Masking {
  /// Hides words of a sentence: 80 % by `mask`, 10 % by a random word; 10 % stay unchanged.
  ///
  /// If no word is drawn, the first is masked (the reference's `random_word`).
  /// - Parameter tokens: not empty.
  /// - Returns: the changed tokens and the places of the hidden ones.
  static func words(
    _ tokens: [Int32], probability: Float, mask: Int32, replacements: Range<Int32>,
    random: inout RandomStream
  ) -> (tokens: [Int32], places: [Int]) {
    var hidden = tokens
    var places: [Int] = []
    for place in tokens.indices where random.uniform() < probability {
      places.append(place)
      let choice = random.uniform()
      if choice < 0.8 {
        hidden[place] = mask
      } else if choice < 0.9 {
        hidden[place] = Int32.random(in: replacements, using: &random)
      }
    }
    if places.isEmpty, !tokens.isEmpty {
      hidden[0] = mask
      places = [0]
    }
    return (hidden, places)
  }

  /// Returns the frames to hide; if none is drawn, a random one (the reference's `_get_img_mask`).
  static func frames(_ count: Int, probability: Float, random: inout RandomStream) -> [Int] {
    let drawn = (0..<count).filter { _ in random.uniform() < probability }
    return drawn.isEmpty && count > 0 ? [Int.random(in: 0..<count, using: &random)] : drawn
  }

  /// Shuffles randomly drawn frames, possibly none, among themselves (the reference's
  /// `random_reorder`).
  /// - Returns: the new place of each frame, and the frames drawn.
  static func order(
    _ count: Int, among limit: Int, probability: Float, random: inout RandomStream
  ) -> (order: [Int], moved: [Int]) {
    let moved = (0..<min(count, limit)).filter { _ in random.uniform() < probability }
    var order = Array(0..<count)
    for (frame, place) in zip(moved, moved.shuffled(using: &random)) { order[frame] = place }
    return (order, moved)
  }

  /// Draws at most `count` of the candidates, uniformly.
  static func sample(_ count: Int, of candidates: [Int], random: inout RandomStream) -> Set<Int> {
    Set(candidates.shuffled(using: &random).prefix(count))
  }
}
