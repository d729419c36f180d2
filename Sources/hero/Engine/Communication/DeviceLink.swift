/// A connection between the devices of a job's ranks without the host's memory (NCCL).
///
/// All ranks make the same calls in the same order, pending sums included; a rank that is out of
/// step leaves the others waiting. Calls queue work, as a backend's do, and never wait.
public protocol DeviceLink: AnyObject, Sendable {
  /// The name and version of the library: `NCCL 2.27.3`.
  var summary: String { get }
  /// Copies rank 0's elements to all ranks.
  func broadcast(_ tensor: Tensor)
  /// Sums the tensor over all ranks, in place.
  func sum(_ tensor: Tensor)
  /// Begins such a sum beside other queued work; nothing may touch the tensor before `finishSums`.
  func beginSum(_ tensor: Tensor)
  /// Makes whatever is queued from here on come after the sums that were begun.
  func finishSums()
  /// Returns every rank's rows, one rank below the other.
  /// - Parameter counts: the number of rows of each rank.
  func gatherRows(_ own: Tensor, counts: [Int]) -> Tensor
}
