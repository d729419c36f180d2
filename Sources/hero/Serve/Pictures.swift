import Foundation
import Synchronization
import Vision

/// Pictures of moments, decoded one at a time, with the last ones cached.
final class Pictures: Sendable {
  private struct State {
    var kept: [String: [UInt8]] = [:]
    /// The keys of cached pictures, oldest first.
    var order: [String] = []
    var waiting = 0
  }

  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "hero.pictures")
  private static let mostKept = 256
  private static let mostWaiting = 48

  /// Returns the picture of a video's file at a time in seconds, as JPEG.
  ///
  /// Returns nil if there is none or if too many requests wait.
  func jpeg(of path: String, at time: Double) async -> [UInt8]? {
    let key = "\(path) \((time * 10).rounded())"
    let (known, isFull) = state.withLock { state in
      let known = state.kept[key]
      if known == nil { state.waiting += 1 }
      return (known, state.waiting > Self.mostWaiting)
    }
    if let known { return known }
    defer { state.withLock { $0.waiting -= 1 } }
    if isFull { return nil }
    let picture = await withCheckedContinuation { (waiter: CheckedContinuation<[UInt8]?, Never>) in
      queue.async { waiter.resume(returning: try? VideoFile(path: path).thumbnail(at: time)) }
    }
    guard let picture else { return nil }
    state.withLock { state in
      if state.kept.updateValue(picture, forKey: key) == nil { state.order.append(key) }
      if state.order.count > Self.mostKept { state.kept[state.order.removeFirst()] = nil }
    }
    return picture
  }
}
