using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Gradus.Files;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Compression.Distillation;

/// <summary>
/// The most probable next tokens that a teacher has found for every token of the texts that it has read, so that it need not read them again: in later
/// passes over the data, and in later runs, from a file.
/// </summary>
public sealed class TeacherStore
{
    private const string Tokens = ".tokens", Scores = ".scores", TeacherKey = "gradus.teacher", KeptKey = "gradus.kept";

    private readonly Dictionary<string, (int[] Tokens, Half[] Scores)> _texts = new(StringComparer.Ordinal);
    private bool _changed;

    /// <summary>An empty store.</summary>
    /// <param name="teacher">What the teacher is called; a store is one teacher's.</param>
    /// <param name="kept">Tokens that are kept for each one, ≥ 1.</param>
    public TeacherStore(string teacher, int kept)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(kept, 1);
        (Teacher, Kept) = (teacher, kept);
    }

    /// <summary>What the teacher is called.</summary>
    public string Teacher { get; }

    /// <summary>Tokens that are kept for each one.</summary>
    public int Kept { get; }

    /// <summary>The texts that are known.</summary>
    public int Count => _texts.Count;

    /// <summary>Reads a store, or begins one where there is no file.</summary>
    /// <exception cref="InvalidDataException">The file is damaged, or another teacher's, or keeps another number of tokens; one line.</exception>
    public static TeacherStore Open(string path, string teacher, int kept)
    {
        TeacherStore store = new(teacher, kept);
        if (!File.Exists(path))
            return store;
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!file.Metadata.TryGetValue(TeacherKey, out string? stored) || !file.Metadata.TryGetValue(KeptKey, out string? number))
            throw new InvalidDataException($"{path}: is no store of a teacher's probabilities; choose another name.");
        if (stored != teacher || number != kept.ToString(CultureInfo.InvariantCulture))
            throw new InvalidDataException($"{path}: holds the {number} most probable tokens of {stored}, not {kept} of {teacher}; choose another name, or remove it.");
        foreach (TensorEntry entry in file.Entries.Where(e => e.Name.EndsWith(Tokens, StringComparison.Ordinal)))
        {
            string key = entry.Name[..^Tokens.Length];
            TensorEntry scores = file[key + Scores];
            if (entry.DType != DType.I32 || scores.DType != DType.F16 || entry.Shape != scores.Shape || entry.Shape.Columns != kept)
                throw new InvalidDataException($"{path}: {entry.Name} of the shape {entry.Shape} is damaged; remove the file, it will be made again.");
            store._texts[key] = (MemoryMarshal.Cast<byte, int>(file.Bytes(entry).Span).ToArray(), MemoryMarshal.Cast<byte, Half>(file.Bytes(scores).Span).ToArray());
        }
        return store;
    }

    /// <summary>Writes the store, where texts have been added to it.</summary>
    public void Save(string path)
    {
        if (!_changed)
            return;
        AtomicFile.Write(path, stream =>
        {
            List<TensorEntry> entries = [];
            foreach ((string key, (int[] tokens, _)) in _texts)
            {
                Shape shape = new(tokens.Length / Kept, Kept);
                entries.Add(new TensorEntry(key + Tokens, DType.I32, shape));
                entries.Add(new TensorEntry(key + Scores, DType.F16, shape));
            }
            Dictionary<string, string> about = new() { [TeacherKey] = Teacher, [KeptKey] = Kept.ToString(CultureInfo.InvariantCulture) };
            using SafetensorsWriter writer = new(stream, entries, about, leaveOpen: true);
            writer.WriteAll((entry, to) =>
            {
                bool isTokens = entry.Name.EndsWith(Tokens, StringComparison.Ordinal);
                (int[] tokens, Half[] scores) = _texts[entry.Name[..entry.Name.LastIndexOf('.')]];
                to.Write(entry.Name, isTokens ? MemoryMarshal.AsBytes<int>(tokens) : MemoryMarshal.AsBytes<Half>(scores));
            });
        });
        _changed = false;
    }

    /// <summary>Whether a text is known.</summary>
    internal bool Knows(ReadOnlySpan<int> text) => _texts.ContainsKey(KeyOf(text));

    /// <summary>Keeps the most probable tokens of a text's rows.</summary>
    /// <param name="text">Its tokens.</param>
    /// <param name="logits">(tokens, V).</param>
    internal void Add(ReadOnlySpan<int> text, float[] logits)
    {
        int vocabulary = logits.Length / text.Length;
        int[] tokens = new int[text.Length * Kept];
        Half[] scores = new Half[tokens.Length];
        Parallel.For(0, text.Length, row => Keep(logits.AsSpan(row * vocabulary, vocabulary), tokens.AsSpan(row * Kept, Kept), scores.AsSpan(row * Kept, Kept)));
        _texts[KeyOf(text)] = (tokens, scores);
        _changed = true;
    }

    /// <summary>The scores of a micro-batch all of whose texts are known.</summary>
    internal StoredScores Of(TokenBatch batch, int vocabulary)
    {
        int[] tokens = new int[batch.Count * Kept];
        Half[] scores = new Half[tokens.Length];
        for (int s = 0; s < batch.Sequences; s++)
        {
            (int[] known, Half[] of) = _texts[KeyOf(batch.Ids.AsSpan(batch.Starts[s]..batch.Starts[s + 1]))];
            if (known.AsSpan().ContainsAnyExceptInRange(0, vocabulary - 1))
                throw new InvalidDataException("The stored probabilities name tokens that the teacher does not have; remove the store, it will be made again.");
            known.CopyTo(tokens, batch.Starts[s] * Kept);
            of.CopyTo(scores, batch.Starts[s] * Kept);
        }
        return new StoredScores(tokens, scores, Kept, vocabulary);
    }

    // Of equally probable tokens the first; the most probable last, as sorted.
    private static void Keep(ReadOnlySpan<float> logits, Span<int> tokens, Span<Half> scores)
    {
        double most = double.NegativeInfinity, sum = 0;
        foreach (float logit in logits)
            most = Math.Max(most, logit);
        foreach (float logit in logits)
            sum += Math.Exp(logit - most);
        float[] keys = new float[logits.Length];
        int[] order = new int[logits.Length];
        for (int v = 0; v < keys.Length; v++)
            (keys[v], order[v]) = (-logits[v], v);
        Array.Sort(keys, order, Comparer<float>.Default);
        for (int i = 0; i < tokens.Length; i++)
            (tokens[i], scores[i]) = (order[i], (Half)(logits[order[i]] - most - Math.Log(sum)));
    }

    private static string KeyOf(ReadOnlySpan<int> text) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(text)))[..32];
}
