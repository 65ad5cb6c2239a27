using System.Globalization;
using Gradus.Models;

namespace Gradus.Files.Gguf;

/// <summary>Applies a family's table of tensors to a file, in both directions.</summary>
internal static class GgufNames
{
    // Ten times what the largest models have.
    private const int MostBlocks = 4096;

    private static readonly string[] Suffixes = [".weight", ".bias"];

    // Base models are stored without the name of the body that a model with a head puts first.
    private static readonly string[] BodyPrefixes = ["model.", "transformer.", "gpt_neox."];

    /// <summary>The tensors of a checkpoint as GGUF has them.</summary>
    /// <exception cref="InvalidDataException">A tensor is missing, or has no place in GGUF; the message names it.</exception>
    public static List<MappedTensor> ToGguf(GgufFamily family, HyperParameters config, TensorFile checkpoint)
    {
        HashSet<string> used = new(StringComparer.Ordinal);
        List<MappedTensor> mapped = [];
        bool tied = config.Flag("tie_word_embeddings", family.TiesByDefault);
        foreach (GgufPlace place in Places(family, config))
        {
            if (tied && place.Rule.HuggingFace == family.HeadName && place.Suffix == ".weight")
                continue;
            List<TensorEntry> sources = [];
            foreach (string name in place.HuggingFaceNames)
            {
                TensorEntry? entry = Find(checkpoint, family, name) ?? (tied && place.Rule.Gguf == "token_embd" ? checkpoint.FindTied(name) : null);
                if (entry is not null && used.Add(entry.Name))
                    sources.Add(entry);
            }
            if (sources.Count == 0)
                continue;
            if (sources.Count != place.HuggingFaceNames.Count)
                throw Malformed.File(checkpoint.Path, $"has {sources.Count} of the {place.HuggingFaceNames.Count} tensors like {place.HuggingFaceNames[0]}; the checkpoint is not whole.");
            TensorLayout layout = place.IsExpert ? TensorLayout.Stacked() : place.Rule.ToGguf ?? TensorLayout.Same;
            // Blocks run along the inputs: a packed matrix is (out, in), whatever a checkpoint does with numbers.
            if (layout == TensorLayout.Transposed && sources[0].Packed is not null)
                layout = TensorLayout.Same;
            CheckRows(checkpoint.Path, place.Rule, layout, sources[0]);
            mapped.Add(new MappedTensor(place.GgufName, layout, sources));
        }
        mapped.AddRange(family.Derived(config));
        Missing(checkpoint.Path, family, mapped);
        string[] unknown = [.. checkpoint.Entries.Select(e => e.Name).Where(n => !used.Contains(n) && !IsLeftOut(family, n, tied))];
        return unknown.Length == 0
            ? mapped
            : throw Malformed.File(checkpoint.Path, $"{unknown.Length} tensors have no place in a GGUF file of the architecture {family.Architecture}: {string.Join(", ", unknown.Take(5).Select(Malformed.Quote))}{(unknown.Length > 5 ? ", …" : "")}.");
    }

    /// <summary>The tensors of a GGUF file as a checkpoint of transformers has them.</summary>
    /// <exception cref="InvalidDataException">A tensor is of no known name; the message gives it.</exception>
    public static List<MappedTensor> FromGguf(GgufFamily family, HyperParameters config, GgufFile file)
    {
        HashSet<string> used = new(GgufRope.TensorNames, StringComparer.Ordinal);
        List<MappedTensor> mapped = [];
        foreach (GgufPlace place in Places(family, config))
        {
            if (!file.TryGet(place.GgufName, out TensorEntry? entry) || !used.Add(entry.Name))
                continue;
            if (place.IsExpert)
            {
                if (entry.Shape.Rank != 3 || entry.Shape[0] != place.HuggingFaceNames.Count)
                    throw Malformed.Tensor(file.Path, entry.Name, $"has the shape {entry.Shape} instead of {place.HuggingFaceNames.Count} matrices; the file is damaged, get it again.");
                for (int i = 0; i < place.HuggingFaceNames.Count; i++)
                    mapped.Add(new MappedTensor(place.HuggingFaceNames[i], TensorLayout.Slice(i), entry));
                continue;
            }
            TensorLayout layout = place.Rule.FromGguf ?? TensorLayout.Same;
            CheckRows(file.Path, place.Rule, layout, entry);
            mapped.Add(new MappedTensor(place.HuggingFaceNames[0], layout, entry));
        }
        string[] unknown = [.. file.Entries.Select(e => e.Name).Where(n => !used.Contains(n))];
        return unknown.Length == 0
            ? mapped
            : throw Malformed.File(file.Path, $"{unknown.Length} tensors are not known in the architecture {family.Architecture}: {string.Join(", ", unknown.Take(5).Select(Malformed.Quote))}{(unknown.Length > 5 ? ", …" : "")}; it is damaged or of another version, get it again.");
    }

    // A table of rows is made for the sizes of config.json; a tensor of another size is an error, not an access outside it.
    private static void CheckRows(string path, TensorRule rule, TensorLayout layout, TensorEntry entry)
    {
        long rows = entry.Shape.Rank == 1 ? entry.Shape.Count : entry.Shape.Rows;
        if (!layout.Fits(entry.Shape))
            throw Malformed.Tensor(path, entry.Name, $"has the shape {entry.Shape}: {rows} rows are not those that the hyperparameters ask for; one of both is damaged, get it again.");
    }

    private static void Missing(string path, GgufFamily family, List<MappedTensor> mapped)
    {
        foreach (string name in new[] { "token_embd.weight" })
        {
            if (mapped.All(m => m.Name != name))
                throw Malformed.File(path, $"has no tensor for {name}; is it a checkpoint of {family.ModelClass}?");
        }
    }

    private static bool IsLeftOut(GgufFamily family, string name, bool tied) =>
        (tied && name == family.HeadName + ".weight")
        || StoredNames.IsBuffer(name)
        || family.LeftOut.Any(start => name.StartsWith(start, StringComparison.Ordinal) || name.StartsWith(family.BodyPrefix + start, StringComparison.Ordinal));

    private static TensorEntry? Find(TensorFile checkpoint, GgufFamily family, string name)
    {
        if (checkpoint.TryGet(name, out TensorEntry? entry) || checkpoint.TryGet(family.BodyPrefix + name, out entry))
            return entry;
        // What checkpoints that began in TensorFlow call the parameters of norms.
        foreach ((string present, string former) in new[] { ("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta") })
        {
            if (name.EndsWith(present, StringComparison.Ordinal))
                return Find(checkpoint, family, name[..^present.Length] + former);
        }
        foreach (string prefix in BodyPrefixes)
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal) && checkpoint.TryGet(name[prefix.Length..], out entry))
                return entry;
        }
        return null;
    }

    /// <summary>Every rule of a family at every block, for weights and for biases.</summary>
    public static IEnumerable<GgufPlace> Places(GgufFamily family, HyperParameters config)
    {
        int blocks = family.Blocks(config), experts = family.Experts(config);
        if (blocks > MostBlocks || experts is < 0 or > MostBlocks)
            throw Malformed.File(config.Place, $"asks for {blocks} blocks with {experts} experts, which is absurd; it is damaged, get it again.");
        TensorRule[] rules = [.. family.Rules(config)];
        foreach (TensorRule rule in rules.Where(r => !r.Gguf.Contains("{n}", StringComparison.Ordinal)))
        {
            foreach (string suffix in Suffixes)
                yield return new GgufPlace(rule, suffix, 0, 0);
        }
        for (int n = 0; n < blocks; n++)
        {
            foreach (TensorRule rule in rules.Where(r => r.Gguf.Contains("{n}", StringComparison.Ordinal)))
            {
                foreach (string suffix in Suffixes)
                    yield return new GgufPlace(rule, suffix, n, experts);
            }
        }
    }
}

/// <summary>A rule at one block, for weights or biases.</summary>
internal sealed record GgufPlace(TensorRule Rule, string Suffix, int Block, int Experts)
{
    public bool IsExpert => Rule.HuggingFace.Contains("{e}", StringComparison.Ordinal);

    public string GgufName => Fill(Rule.Gguf);

    public IReadOnlyList<string> HuggingFaceNames { get; } = Rule.HuggingFace.Contains("{e}", StringComparison.Ordinal)
        ? [.. Enumerable.Range(0, Experts).Select(e => Rule.HuggingFace.Replace("{n}", Number(Block), StringComparison.Ordinal).Replace("{e}", Number(e), StringComparison.Ordinal) + Suffix)]
        : [Rule.HuggingFace.Replace("{n}", Number(Block), StringComparison.Ordinal) + Suffix];

    private static string Number(int n) => n.ToString(CultureInfo.InvariantCulture);

    private string Fill(string pattern) => pattern.Replace("{n}", Number(Block), StringComparison.Ordinal) + Suffix;
}
