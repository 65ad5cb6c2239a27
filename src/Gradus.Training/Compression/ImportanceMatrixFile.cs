// The two files that llama.cpp keeps importance matrices in. GGUF, since 2025: general.type "imatrix", for each tensor NAME.in_sum2 (the sums of
// squares) and NAME.counts (rows seen, for each stacked matrix). The former .dat: a count, then for each tensor its name, a number of calls n and
// values that are n times the mean squares; then the number of pieces and the name of the text. All little-endian.

using System.Text;
using Gradus.Files;
using Gradus.Tensors;

namespace Gradus.Training.Compression;

/// <summary>Reads and writes importance matrices.</summary>
public static class ImportanceMatrixFile
{
    private const string Sums = ".in_sum2", Counts = ".counts", Kind = "imatrix";
    private const int LongestName = 1 << 10, MostEntries = 1 << 20;

    /// <summary>Reads either form, which the first bytes tell apart.</summary>
    /// <exception cref="InvalidDataException">The file is damaged or holds something else; one line.</exception>
    public static ImportanceMatrix Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!File.Exists(path))
            throw new InvalidDataException($"{path}: no such file; make one with gradus imatrix MODEL {path} --data FILE");
        using FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        byte[] magic = new byte[4];
        int read = stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false);
        if (read == 4 && magic.AsSpan().SequenceEqual("GGUF"u8))
        {
            stream.Dispose();
            return ReadGguf(path);
        }
        stream.Position = 0;
        return ReadFormer(path, stream);
    }

    /// <summary>Writes the form that a name asks for: .dat the former one, any other GGUF.</summary>
    public static void Write(string path, ImportanceMatrix matrix)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(matrix);
        AtomicFile.Write(path, stream =>
        {
            if (path.EndsWith(".dat", StringComparison.OrdinalIgnoreCase))
                WriteFormer(stream, matrix);
            else
                WriteGguf(stream, matrix);
        });
    }

    private static ImportanceMatrix ReadGguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        if (!file.Values.TryGet("general.type", out string? type) || type != Kind)
            throw new InvalidDataException($"{path}: is a GGUF file, but no importance matrix (general.type is {type ?? "missing"}); make one with gradus imatrix.");
        ImportanceMatrix matrix = new()
        {
            DataSets = file.Values.TryGet("imatrix.datasets", out string[]? sets) ? sets : [],
            Chunks = file.Values.TryGetInteger("imatrix.chunk_count", out long chunks) ? (int)Math.Clamp(chunks, 0, int.MaxValue) : 0,
            ChunkSize = file.Values.TryGetInteger("imatrix.chunk_size", out long size) ? (int)Math.Clamp(size, 0, int.MaxValue) : 0,
        };
        foreach (TensorEntry sums in file.Entries.Where(e => e.Name.EndsWith(Sums, StringComparison.Ordinal)))
        {
            string name = sums.Name[..^Sums.Length];
            float[] squares = Floats(file, sums), counts = Floats(file, file[name + Counts]);
            matrix.Set(name, new ImportanceEntry(counts.Length > 0 ? squares.Length / counts.Length : 0, squares, counts));
        }
        return matrix;
    }

    private static float[] Floats(TensorFile file, TensorEntry entry)
    {
        float[] values = new float[entry.Shape.Count];
        file.Read(entry, values);
        return values;
    }

    private static ImportanceMatrix ReadFormer(string path, Stream stream)
    {
        using BinaryReader reader = new(stream, Encoding.UTF8, leaveOpen: true);
        List<(string Name, ImportanceEntry Entry)> entries = [];
        try
        {
            int count = Between(reader.ReadInt32(), 1, MostEntries);
            for (int i = 0; i < count; i++)
            {
                string name = Encoding.UTF8.GetString(reader.ReadBytes(Between(reader.ReadInt32(), 1, LongestName)));
                int calls = Between(reader.ReadInt32(), 0, int.MaxValue), values = Between(reader.ReadInt32(), 1, (int)Math.Min(int.MaxValue, stream.Length / sizeof(float)));
                float[] squares = new float[values];
                for (int v = 0; v < values; v++)
                    squares[v] = reader.ReadSingle();
                // The former file does not tell stacked matrices apart; whoever uses an entry knows its columns.
                entries.Add((name, new ImportanceEntry(values, squares, [Math.Max(1, calls)])));
            }
            int chunks = 0;
            string data = "";
            if (stream.Position < stream.Length)
            {
                chunks = Between(reader.ReadInt32(), 0, int.MaxValue);
                data = Encoding.UTF8.GetString(reader.ReadBytes(Between(reader.ReadInt32(), 0, LongestName)));
            }
            ImportanceMatrix matrix = new() { Chunks = chunks, DataSets = data.Length == 0 ? [] : [data] };
            entries.ForEach(e => matrix.Set(e.Name, e.Entry));
            return matrix;
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException($"{path}: ends too early; the importance matrix is damaged, make it again.", e);
        }

        int Between(int value, int least, int most) => value >= least && value <= most
            ? value
            : throw new InvalidDataException($"{path}: is no importance matrix (a length of {value}); make one with gradus imatrix.");
    }

    private static void WriteGguf(Stream stream, ImportanceMatrix matrix)
    {
        GgufMetadata metadata = new();
        metadata.Set("general.type", Kind);
        metadata.Set("imatrix.datasets", matrix.DataSets.ToArray());
        metadata.Set("imatrix.chunk_count", (uint)matrix.Chunks);
        metadata.Set("imatrix.chunk_size", (uint)matrix.ChunkSize);
        List<TensorEntry> entries = [];
        Dictionary<string, float[]> values = new(StringComparer.Ordinal);
        foreach ((string name, ImportanceEntry entry) in matrix.Entries)
        {
            int matrices = entry.Counts.Length;
            Add(name + Sums, matrices == 1 ? new Shape(entry.Columns) : new Shape(matrices, entry.Columns), entry.Squares);
            Add(name + Counts, matrices == 1 ? new Shape(1) : new Shape(matrices, 1), entry.Counts);
        }
        using GgufWriter writer = new(stream, metadata, entries, leaveOpen: true);
        writer.WriteAll((entry, to) => to.Write(entry.Name, values[entry.Name]));

        void Add(string name, Shape shape, float[] numbers)
        {
            entries.Add(new TensorEntry(name, DType.F32, shape));
            values.Add(name, numbers);
        }
    }

    private static void WriteFormer(Stream stream, ImportanceMatrix matrix)
    {
        using BinaryWriter writer = new(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(matrix.Entries.Count);
        foreach ((string name, ImportanceEntry entry) in matrix.Entries)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(name);
            writer.Write(bytes.Length);
            writer.Write(bytes);
            int calls = Math.Max(1, matrix.Chunks);
            writer.Write(calls);
            writer.Write(entry.Squares.Length);
            for (int i = 0; i < entry.Squares.Length; i++)
                writer.Write(entry.Squares[i] / Math.Max(1, entry.Counts[i / entry.Columns]) * calls);
        }
        writer.Write(matrix.Chunks);
        byte[] data = Encoding.UTF8.GetBytes(string.Join(", ", matrix.DataSets));
        data = data.Length > LongestName ? data[..LongestName] : data;
        writer.Write(data.Length);
        writer.Write(data);
    }
}
