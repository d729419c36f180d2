import CMPI
import Foundation

/// The division of a machine's cores among the ranks that share it.
public enum CoreDivision {
  /// A rank's machine and the cores that it may run on.
  struct Place: Equatable {
    var node: Int
    var cores: Set<Int>
  }

  /// Returns this rank's number of threads: its part of every core that it may run on.
  ///
  /// By default a launcher binds each process to one core, whatever the machine has. If that leaves
  /// cores idle, this process binds itself to an equal part of all of them.
  public static func threads(_ communicator: MPICommunicator) -> Int {
    let own = Place(node: communicator.node, cores: allowedCores())
    let places = communicator.gather(encoded(own)).map(decoded)
    let neighbours = places.indices.filter { places[$0].node == own.node }
    guard let place = neighbours.firstIndex(of: communicator.rank) else { return 1 }
    let machine = ProcessInfo.processInfo.processorCount
    if isBoundByDefault(neighbours.map { places[$0].cores }, machine: machine) {
      let cores = machine * place / neighbours.count..<machine * (place + 1) / neighbours.count
      if bind(to: cores) { return cores.count }
    }
    return share(of: place, neighbours.map { places[$0].cores })
  }

  /// Returns whether each rank has a single core of a machine that has more.
  static func isBoundByDefault(_ cores: [Set<Int>], machine: Int) -> Bool {
    cores.allSatisfy { $0.count == 1 } && cores.count < machine
  }

  /// Returns the number of cores for one of a machine's ranks.
  ///
  /// The ranks that may run on a core divide it. Ranks with the same cores get shares that differ
  /// by one at most.
  static func share(of place: Int, _ cores: [Set<Int>]) -> Int {
    let own = cores[place]
    let same = cores.indices.filter { cores[$0] == own }
    if same.count > 1, cores.indices.allSatisfy({ cores[$0] == own || cores[$0].isDisjoint(with: own) }) {
      let position = same.firstIndex(of: place) ?? 0
      return max(1, own.count * (position + 1) / same.count - own.count * position / same.count)
    }
    let total = own.reduce(0.0) { sum, core in sum + 1 / Double(cores.count { $0.contains(core) }) }
    return max(1, Int(total + 1e-9))
  }

  private static func allowedCores() -> Set<Int> {
    var cores = [Int32](repeating: 0, count: 1024)
    let count = hero_allowed_cores(&cores, Int32(cores.count))
    return count > 0
      ? Set(cores.prefix(Int(count)).map { Int($0) }) : Set(0..<ProcessInfo.processInfo.activeProcessorCount)
  }

  private static func bind(to cores: Range<Int>) -> Bool {
    !cores.isEmpty && hero_use_cores(Int32(cores.lowerBound), Int32(cores.count)) == 0
  }

  /// Returns the node, then the cores, as 32-bit numbers.
  private static func encoded(_ place: Place) -> [UInt8] {
    let values = ([place.node] + place.cores.sorted()).map { Int32($0) }
    return values.withUnsafeBytes { Array($0) }
  }

  private static func decoded(_ bytes: [UInt8]) -> Place {
    let values = bytes.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { Int(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
    }
    return Place(node: values[0], cores: Set(values.dropFirst()))
  }
}
