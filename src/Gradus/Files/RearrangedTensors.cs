namespace Gradus.Files;

/// <summary>
/// Copies of the tensors that a file stores in another order than row-major Hugging Face order, made when they are first asked
/// for and kept until the file is closed.
/// </summary>
internal sealed unsafe class RearrangedTensors : IDisposable
{
    private readonly Dictionary<TensorEntry, OwnedBytes> _copies = [];
    private readonly Lock _lock = new();

    /// <summary>Fills a copy of a tensor; <paramref name="destination"/> has room for all its bytes.</summary>
    public delegate void Fill(byte* destination);

    /// <summary>The copy of a tensor, made by <paramref name="fill"/> the first time.</summary>
    public TensorBytes Get(TensorEntry entry, Fill fill)
    {
        lock (_lock)
        {
            if (!_copies.TryGetValue(entry, out OwnedBytes? copy))
            {
                copy = new OwnedBytes(entry.ByteLength);
                fill(copy.Pointer);
                _copies.Add(entry, copy);
            }
            return new TensorBytes(copy.Pointer, copy.Length) { Owner = copy };
        }
    }

    /// <summary>Frees the copies.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            foreach (OwnedBytes copy in _copies.Values)
                copy.Dispose();
            _copies.Clear();
        }
    }
}
