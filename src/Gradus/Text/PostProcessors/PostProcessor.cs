// What is put around the tokens of one text or of a pair: [CLS] A [SEP] B [SEP] and the like.
// Every kind of tokenizer.json is a template here. Source: Hugging Face tokenizers, processors.

using System.Text.Json;

namespace Gradus.Text;

/// <summary>What a part of a template stands for.</summary>
public enum TemplateSlot
{
    /// <summary>Special tokens.</summary>
    Special,

    /// <summary>The tokens of the first text.</summary>
    First,

    /// <summary>The tokens of the second text.</summary>
    Second,
}

/// <summary>One part of a template.</summary>
/// <param name="Slot">What it stands for.</param>
/// <param name="Ids">The special ids, for <see cref="TemplateSlot.Special"/>.</param>
/// <param name="TypeId">The segment number (token type) its tokens get, 0 or more.</param>
/// <param name="Name">The name of the special token in the file.</param>
public sealed record TemplatePart(TemplateSlot Slot, IReadOnlyList<int> Ids, int TypeId = 0, string Name = "")
{
    /// <summary>The tokens of the first text.</summary>
    public static TemplatePart First { get; } = new(TemplateSlot.First, []);

    /// <summary>The tokens of the second text, with type 1.</summary>
    public static TemplatePart Second { get; } = new(TemplateSlot.Second, [], 1);
}

/// <summary>Puts special tokens around the tokens of a text or a pair of texts. Immutable.</summary>
public abstract class PostProcessor
{
    private protected PostProcessor(IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair)
    {
        Single = single;
        Pair = pair;
    }

    /// <summary>The template of one text.</summary>
    public IReadOnlyList<TemplatePart> Single { get; }

    /// <summary>The template of two texts.</summary>
    public IReadOnlyList<TemplatePart> Pair { get; }

    /// <summary>Whether the offsets of tokens leave out the white space they begin or end with.</summary>
    public virtual bool TrimOffsets => false;

    /// <summary>Whether one leading space was put there by the tokenizer, so that it is not trimmed from the text's start.</summary>
    internal virtual bool AddPrefixSpace => true;

    internal abstract void Write(Utf8JsonWriter writer);

    /// <summary>The template of a pair without special tokens: first, then second with type 1.</summary>
    private protected static IReadOnlyList<TemplatePart> PlainPair { get; } = [TemplatePart.First, TemplatePart.Second];

    /// <summary>The template of one text without special tokens.</summary>
    private protected static IReadOnlyList<TemplatePart> PlainSingle { get; } = [TemplatePart.First];
}

/// <summary>A template given by the file.</summary>
public sealed class TemplateProcessing : PostProcessor
{
    /// <summary>A post-processor by template.</summary>
    /// <param name="single">The parts around one text.</param>
    /// <param name="pair">The parts around two texts.</param>
    public TemplateProcessing(IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair)
        : base(single, pair)
    {
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "TemplateProcessing");
        WriteParts(writer, "single", Single);
        WriteParts(writer, "pair", Pair);
        writer.WriteStartObject("special_tokens");
        foreach (TemplatePart part in Single.Concat(Pair).Where(p => p.Slot == TemplateSlot.Special).DistinctBy(p => p.Name).OrderBy(p => p.Name, StringComparer.Ordinal))
        {
            writer.WriteStartObject(part.Name);
            writer.WriteString("id", part.Name);
            writer.WriteStartArray("ids");
            foreach (int id in part.Ids)
                writer.WriteNumberValue(id);
            writer.WriteEndArray();
            writer.WriteStartArray("tokens");
            for (int i = 0; i < part.Ids.Count; i++)
                writer.WriteStringValue(part.Name);
            writer.WriteEndArray();
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void WriteParts(Utf8JsonWriter writer, string name, IReadOnlyList<TemplatePart> parts)
    {
        writer.WriteStartArray(name);
        foreach (TemplatePart part in parts)
        {
            writer.WriteStartObject();
            writer.WriteStartObject(part.Slot == TemplateSlot.Special ? "SpecialToken" : "Sequence");
            writer.WriteString("id", part.Slot switch { TemplateSlot.First => "A", TemplateSlot.Second => "B", _ => part.Name });
            writer.WriteNumber("type_id", part.TypeId);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
    }
}

/// <summary>BERT's and RoBERTa's fixed templates.</summary>
public sealed class ClassifierProcessing : PostProcessor
{
    private readonly (string Token, int Id) _separator;
    private readonly (string Token, int Id) _classifier;
    private readonly bool _roberta;

    private ClassifierProcessing((string, int) separator, (string, int) classifier, bool roberta, bool trim, bool prefix, IReadOnlyList<TemplatePart> single, IReadOnlyList<TemplatePart> pair)
        : base(single, pair)
    {
        _separator = separator;
        _classifier = classifier;
        _roberta = roberta;
        TrimOffsets = trim;
        AddPrefixSpace = prefix;
    }

    /// <inheritdoc/>
    public override bool TrimOffsets { get; }

    internal override bool AddPrefixSpace { get; }

    /// <summary>[CLS] A [SEP], and [CLS] A [SEP] B [SEP] with type 1 for what follows the first [SEP].</summary>
    public static ClassifierProcessing Bert((string Token, int Id) separator, (string Token, int Id) classifier)
    {
        TemplatePart cls = new(TemplateSlot.Special, [classifier.Id], 0, classifier.Token);
        TemplatePart sep = new(TemplateSlot.Special, [separator.Id], 0, separator.Token);
        return new ClassifierProcessing(separator, classifier, false, false, true, [cls, TemplatePart.First, sep],
            [cls, TemplatePart.First, sep, TemplatePart.Second, sep with { TypeId = 1 }]);
    }

    /// <summary>&lt;s&gt; A &lt;/s&gt;, and &lt;s&gt; A &lt;/s&gt;&lt;/s&gt; B &lt;/s&gt;, all of type 0.</summary>
    public static ClassifierProcessing Roberta((string Token, int Id) separator, (string Token, int Id) classifier, bool trimOffsets, bool addPrefixSpace)
    {
        TemplatePart cls = new(TemplateSlot.Special, [classifier.Id], 0, classifier.Token);
        TemplatePart sep = new(TemplateSlot.Special, [separator.Id], 0, separator.Token);
        return new ClassifierProcessing(separator, classifier, true, trimOffsets, addPrefixSpace, [cls, TemplatePart.First, sep],
            [cls, TemplatePart.First, sep, sep, TemplatePart.Second with { TypeId = 0 }, sep]);
    }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", _roberta ? "RobertaProcessing" : "BertProcessing");
        WriteToken(writer, "sep", _separator);
        WriteToken(writer, "cls", _classifier);
        if (_roberta)
        {
            writer.WriteBoolean("trim_offsets", TrimOffsets);
            writer.WriteBoolean("add_prefix_space", AddPrefixSpace);
        }
        writer.WriteEndObject();
    }

    private static void WriteToken(Utf8JsonWriter writer, string name, (string Token, int Id) token)
    {
        writer.WriteStartArray(name);
        writer.WriteStringValue(token.Token);
        writer.WriteNumberValue(token.Id);
        writer.WriteEndArray();
    }
}

/// <summary>Trims offsets; adds nothing.</summary>
public sealed class ByteLevelProcessing : PostProcessor
{
    private readonly bool _useRegex;

    /// <summary>GPT-2's post-processor.</summary>
    /// <param name="trimOffsets">Whether offsets leave out white space.</param>
    /// <param name="addPrefixSpace">Whether the pre-tokenizer may have put a space in front.</param>
    /// <param name="useRegex">Carried along for the file.</param>
    public ByteLevelProcessing(bool trimOffsets, bool addPrefixSpace = true, bool useRegex = true)
        : base(PlainSingle, PlainPair)
    {
        TrimOffsets = trimOffsets;
        AddPrefixSpace = addPrefixSpace;
        _useRegex = useRegex;
    }

    /// <inheritdoc/>
    public override bool TrimOffsets { get; }

    internal override bool AddPrefixSpace { get; }

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "ByteLevel");
        writer.WriteBoolean("add_prefix_space", AddPrefixSpace);
        writer.WriteBoolean("trim_offsets", TrimOffsets);
        writer.WriteBoolean("use_regex", _useRegex);
        writer.WriteEndObject();
    }
}

/// <summary>Several post-processors: the template of each goes around the result of those before it.</summary>
public sealed class PostProcessorSequence : PostProcessor
{
    private readonly IReadOnlyList<PostProcessor> _parts;

    /// <summary>A sequence.</summary>
    /// <param name="parts">The post-processors in order.</param>
    public PostProcessorSequence(IReadOnlyList<PostProcessor> parts)
        : base(Compose(parts), ComposePair(parts))
    {
        _parts = parts;
    }

    /// <summary>The post-processors in order.</summary>
    public IReadOnlyList<PostProcessor> Parts => _parts;

    /// <inheritdoc/>
    public override bool TrimOffsets => _parts.Any(p => p.TrimOffsets);

    internal override bool AddPrefixSpace => _parts.FirstOrDefault(p => p.TrimOffsets)?.AddPrefixSpace ?? true;

    internal override void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("type", "Sequence");
        writer.WriteStartArray("processors");
        foreach (PostProcessor part in _parts)
            part.Write(writer);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static List<TemplatePart> Compose(IReadOnlyList<PostProcessor> parts)
    {
        List<TemplatePart> all = [TemplatePart.First];
        foreach (PostProcessor part in parts)
            all = [.. part.Single.SelectMany(p => p.Slot == TemplateSlot.Special ? [p] : all)];
        return all;
    }

    private static List<TemplatePart> ComposePair(IReadOnlyList<PostProcessor> parts)
    {
        List<TemplatePart> all = [.. PlainPair];
        bool decided = false;
        foreach (PostProcessor part in parts)
        {
            if (part.Pair.All(p => p.Slot != TemplateSlot.Special))
                continue;
            if (!decided)
                all = [.. part.Pair];
            else
                all = [.. part.Single.SelectMany(p => p.Slot == TemplateSlot.Special ? [p] : all)];
            decided = true;
        }
        return all;
    }
}
