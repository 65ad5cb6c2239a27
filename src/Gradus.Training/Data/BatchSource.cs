namespace Gradus.Training.Data;

/// <summary>
/// A stream of micro-batches as a function of their number, so that training can go on from any step without having kept a
/// place in it, and batches can be made ahead in any order, from any thread.
/// </summary>
public abstract class BatchSource
{
    /// <summary>The micro-batch of a number, from 0, without end.</summary>
    public abstract MicroBatch this[long index] { get; }

    /// <summary>Everything once, in order: for evaluation.</summary>
    public abstract IEnumerable<MicroBatch> All();

    /// <summary>UTF-8 bytes of the text per counted target, or 0 where unknown: for bits per byte.</summary>
    public double BytesPerTarget { get; init; }

    /// <summary>Micro-batches in which a number of passes over the data come to their end; 0 where batches are drawn at random.</summary>
    /// <param name="passes">Passes over all data, ≥ 0.</param>
    public virtual long BatchesOf(long passes) => 0;
}
