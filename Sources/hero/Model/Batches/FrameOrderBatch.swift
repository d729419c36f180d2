import Engine

/// Videos whose frames are partly shuffled after fusion.
public struct FrameOrderBatch: Sendable {
  /// The videos in their original order; shuffling comes after fusion.
  public var videos: VideoBatch
  /// The new place of each frame, counted over all videos.
  public var order: [Int]
  /// The places that shuffled frames go to, counted over all videos.
  public var places: [Int]
  /// For each entry of ``places``, its frame's original place within its video.
  public var targets: [Int]

  /// - Precondition: `order` has one entry per frame. There are as many places as targets.
  public init(videos: VideoBatch, order: [Int], places: [Int], targets: [Int]) {
    precondition(order.count == videos.frameCount && places.count == targets.count)
    self.videos = videos
    self.order = order
    self.places = places
    self.targets = targets
  }
}

/// Videos whose frames are partly shuffled after fusion, in a device's memory.
public struct FrameOrderInput: Sendable {
  package let videos: VideoInput
  /// Per place: the frame that goes there.
  package let source: Indices
  /// The places that shuffled frames go to, and the places that they come from.
  package let places: Indices
  package let targets: Indices
}

extension FrameOrderBatch {
  /// Copies the batch into a device's memory, on a loading thread.
  public func prepared(for model: ModelConfiguration, on backend: any Backend) -> FrameOrderInput {
    var source = [Int32](repeating: -1, count: order.count)
    for (frame, place) in order.enumerated() { source[place] = Int32(frame) }
    return FrameOrderInput(
      videos: videos.prepared(for: model, on: backend), source: backend.makeIndices(source),
      places: backend.makeIndices(places), targets: backend.makeIndices(targets))
  }
}
