import Engine

/// Videos with some frames moved after fusion.
public struct FrameOrderBatch: Sendable {
  /// The videos in their right order; moving comes after fusion.
  public var videos: VideoBatch
  /// Frame i goes to place `order[i]`, counted over all videos.
  public var order: [Int]
  /// The places that moved frames went to, and the place within its video that each came from.
  public var places: [Int]
  /// The place within its video that the frame at the same entry of ``places`` came from.
  public var targets: [Int]

  /// - Precondition: `order` has one entry a frame; as many places as targets.
  public init(videos: VideoBatch, order: [Int], places: [Int], targets: [Int]) {
    precondition(order.count == videos.frameCount && places.count == targets.count)
    self.videos = videos
    self.order = order
    self.places = places
    self.targets = targets
  }
}

/// Videos with some frames moved after fusion, in a device's memory.
public struct FrameOrderInput: Sendable {
  package let videos: VideoInput
  /// Per place the frame that went there.
  package let source: Indices
  /// The places that frames went to, and the places that they came from.
  package let places: Indices
  package let targets: Indices
}

extension FrameOrderBatch {
  /// Puts the batch into a device's memory. Loading threads do it.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> FrameOrderInput {
    var source = [Int32](repeating: -1, count: order.count)
    for (frame, place) in order.enumerated() { source[place] = Int32(frame) }
    return FrameOrderInput(
      videos: videos.prepared(for: model, on: backend), source: backend.makeIndices(source),
      places: backend.makeIndices(places), targets: backend.makeIndices(targets))
  }
}
