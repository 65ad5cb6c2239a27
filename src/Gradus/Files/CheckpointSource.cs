using System.Diagnostics.CodeAnalysis;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files;

/// <summary>Parameters read from a checkpoint's tensors by their names.</summary>
/// <param name="file">The checkpoint.</param>
/// <param name="keepStoredType">Keep BF16 and F16 weights as they are, and look at the file's memory where values lie in it as they are needed.</param>
/// <param name="keepPacked">Keep matrices in blocks.</param>
/// <param name="headSeed">What the parameters of a head are drawn from where they are not stored; null where they must be.</param>
/// <param name="readValues">Read the values; without them names and shapes are checked, and no memory is touched.</param>
/// <param name="tied">Whether the output layer is the token table, which may then be stored under the layer's name alone.</param>
internal sealed class CheckpointSource(
    TensorFile file, bool keepStoredType, bool keepPacked = false, ulong? headSeed = null, bool readValues = true, bool tied = false) : ParameterSource
{
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);
    private readonly List<string> _left = [];

    // A model with a head puts the name of its body first, as in bert.pooler; a bare body is stored without it.
    private readonly string[] _bodies = [.. file.Entries.Select(e => e.Name).Where(n => n.Contains('.')).Select(n => n[..n.IndexOf('.')]).Distinct()];

    private readonly Dictionary<string, IReadOnlyList<string>> _aliases = new(StringComparer.Ordinal);

    /// <summary>Tensors of the file that the model has not asked for, known buffers and what it leaves left out.</summary>
    public IEnumerable<string> Unused => file.Entries
        .Select(e => e.Name)
        .Where(n => !_used.Contains(n) && !StoredNames.IsBuffer(n) && !_left.Exists(l => IsLeft(n, l)) && !IsAlias(n));

    public override Tensor GetOfHead(string name, Shape shape, Init init, Workspace store) => headSeed is { } seed && !Has(name)
        ? Random(seed).Get(name, shape, init, store)
        : Get(name, shape, init, store);

    public override bool Has(string name) => TryFind(name, out _);

    public override void Leave(string name) => _left.Add(name);

    public override void Alias(string name, IReadOnlyList<string> others) => _aliases[name] = others;

    public override Tensor Get(string name, Shape shape, Init init, Workspace store)
    {
        TensorEntry entry = Use(name, shape);
        // Only matrix products and lookups read narrow types; norms and biases are small anyway.
        bool keep = keepStoredType && shape.Rank >= 2 && entry.Packed is null && entry.DType is DType.BF16 or DType.F16;
        if (readValues && (keep || (keepStoredType && entry.Packed is null && entry.DType == DType.F32)) && Borrow(entry, shape, store) is { } view)
            return view;
        Tensor value = store.Empty(shape, keep ? entry.DType : DType.F32);
        if (!readValues)
            return value;
        if (keep)
            Copy(entry, value);
        else
            Widen(entry, value);
        return value;
    }

    public override unsafe PackedMatrix? GetPacked(string name, Shape shape, Workspace store)
    {
        if (!keepPacked)
            return null;
        if (Find(name).Packed is not { } format || !PackedFormats.TryGet(format.Name, out _))
            return readValues && Find(name) is { Packed: null } found && found.Shape == shape && file.ReadPacked(found, store) is { } spread ? Used(found, spread) : null;
        TensorEntry entry = Use(name, shape);
        TensorBytes bytes = file.Bytes(entry);
        if (bytes.Owner is { } owner && store.Device.IsHost && bytes.Length > 0)
            return PackedMatrix.Borrow(store, format, shape[0], shape[1], (nint)bytes.Pointer, owner);
        PackedMatrix matrix = new(store, format, shape[0], shape[1]);
        const int RowsAtOnce = 64;
        Parallel.For(0, (matrix.Rows + RowsAtOnce - 1) / RowsAtOnce, group =>
        {
            int row = group * RowsAtOnce, rows = Math.Min(RowsAtOnce, matrix.Rows - row);
            matrix.PutRows(row, bytes.Slice((long)row * matrix.RowBytes, rows * matrix.RowBytes));
        });
        return matrix;
    }

    private PackedMatrix Used(TensorEntry entry, PackedMatrix matrix)
    {
        _used.Add(entry.Name);
        return matrix;
    }

    private TensorEntry Use(string name, Shape shape)
    {
        TensorEntry entry = Find(name);
        if (entry.Shape != shape)
            throw new InvalidDataException($"{file.Path}: tensor \"{entry.Name}\" has the shape {entry.Shape}, but config.json makes it {shape}; do the files belong together?");
        _used.Add(entry.Name);
        return entry;
    }

    /// <summary>The tensor of a parameter, under any of the names that checkpoints have for it.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public TensorEntry Find(string name) => TryFind(name, out TensorEntry? entry) ? entry : file[name];

    private bool TryFind(string name, [NotNullWhen(true)] out TensorEntry? entry)
    {
        if (TryFindOne(name, out entry))
            return true;
        foreach (string other in _aliases.GetValueOrDefault(name, []))
        {
            if (TryFindOne(other, out entry))
                return true;
        }
        entry = tied ? file.FindTied(name) : null;
        return entry is not null;
    }

    private bool TryFindOne(string name, [NotNullWhen(true)] out TensorEntry? entry) =>
        TryFindBody(name, out entry)
        || (name.EndsWith(".weight", StringComparison.Ordinal) && TryFindBody($"{name[..^"weight".Length]}gamma", out entry))
        || (name.EndsWith(".bias", StringComparison.Ordinal) && TryFindBody($"{name[..^"bias".Length]}beta", out entry));

    // By its name, without the body's in front, or with it.
    private bool TryFindBody(string name, [NotNullWhen(true)] out TensorEntry? entry)
    {
        if (file.TryGet(name, out entry) || file.TryGet(WithoutBody(name), out entry))
            return true;
        foreach (string body in _bodies)
        {
            if (file.TryGet($"{body}.{name}", out entry))
                return true;
        }
        return false;
    }

    private bool IsAlias(string name) => _aliases.Values.Any(others => others.Any(o => IsLeft(name, o)));

    private static bool IsLeft(string name, string left) =>
        IsAt(name, left) || IsAt(name, WithoutBody(left)) || IsAt(WithoutBody(name), left);

    private static bool IsAt(string name, string place) =>
        name.StartsWith(place, StringComparison.Ordinal) && (name.Length == place.Length || name[place.Length] == '.');

    private static string WithoutBody(string name) => name[(name.IndexOf('.') + 1)..];

    // A value that lies in the file as it will in memory is used where it lies: the system reads its pages when they are first touched.
    private unsafe Tensor? Borrow(TensorEntry entry, Shape shape, Workspace store)
    {
        TensorBytes bytes = file.Bytes(entry);
        return bytes.Owner is { } owner && store.Device.IsHost && bytes.Length > 0 && (nint)bytes.Pointer % entry.DType.Size() == 0
            ? store.Borrow((nint)bytes.Pointer, shape, entry.DType, owner)
            : null;
    }

    // In pieces side by side: what takes time is the system handing out pages.
    private unsafe void Copy(TensorEntry entry, Tensor value)
    {
        const long Piece = 16 << 20;
        TensorBytes bytes = file.Bytes(entry);
        Parallel.For(0, (int)((bytes.Length + Piece - 1) / Piece), i =>
        {
            long start = i * Piece, count = Math.Min(Piece, bytes.Length - start);
            Buffer.MemoryCopy(bytes.Pointer + start, (byte*)value.Address + start, count, count);
        });
    }

    private unsafe void Widen(TensorEntry entry, Tensor value)
    {
        // A block format is cut only between its blocks; 2^22 is a multiple of every block size.
        const int Piece = 1 << 22;
        float* values = (float*)value.Address;
        Parallel.For(0, (int)((value.Count + Piece - 1) / Piece), i =>
        {
            long start = (long)i * Piece;
            file.Read(entry, start, new Span<float>(values + start, (int)Math.Min(Piece, value.Count - start)));
        });
    }
}
