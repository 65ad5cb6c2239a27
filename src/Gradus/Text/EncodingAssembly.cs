namespace Gradus.Text;

/// <summary>Cuts, joins and pads encodings. Source: Hugging Face tokenizers, utils/truncation and utils/padding.</summary>
internal static class EncodingAssembly
{
    /// <summary>Puts the special tokens around one or two plain encodings, after cutting them to the room there is.</summary>
    public static TokenEncoding Assemble(PostProcessor? processor, TokenEncoding first, TokenEncoding? second, bool addSpecialTokens, Truncation? truncation)
    {
        IReadOnlyList<TemplatePart> template = Template(processor, second is not null, addSpecialTokens);
        List<TokenEncoding> firsts = [first];
        List<TokenEncoding> seconds = second is null ? [] : [second];
        if (truncation is not null)
        {
            int room = truncation.MaxLength - template.Sum(p => p.Slot == TemplateSlot.Special ? p.Ids.Count : 0);
            if (room < 0)
                throw new ArgumentException($"Truncation: MaxLength {truncation.MaxLength} has no room for the {truncation.MaxLength - room} special tokens. Make it larger.");
            Cut(firsts, seconds, room, truncation);
        }
        TokenEncoding result = Join(template, firsts[0], seconds.Count > 0 ? seconds[0] : null);
        List<TokenEncoding> overflow = [];
        for (int i = 1; i < firsts.Count; i++)
            overflow.Add(Join(template, firsts[i], seconds.Count > 0 ? seconds[0] : null));
        for (int i = 1; i < seconds.Count; i++)
            overflow.Add(Join(template, firsts[0], seconds[i]));
        result.Overflowing = overflow;
        return result;
    }

    /// <summary>Pads encodings to one length.</summary>
    public static List<TokenEncoding> Pad(IReadOnlyList<TokenEncoding> encodings, Padding padding)
    {
        int length = padding.FixedLength ?? encodings.Select(e => e.Length).DefaultIfEmpty(0).Max();
        if (padding.MultipleOf is { } multiple and > 1)
            length = (length + multiple - 1) / multiple * multiple;
        List<TokenEncoding> padded = new(encodings.Count);
        foreach (TokenEncoding encoding in encodings)
        {
            if (encoding.Length >= length)
            {
                padded.Add(encoding);
                continue;
            }
            TokenEncoding longer = new(length);
            int missing = length - encoding.Length;
            int start = padding.Direction == TextSide.Left ? missing : 0;
            longer.CopyFrom(encoding, 0, start, encoding.Length);
            for (int i = 0; i < missing; i++)
                longer.SetSpecial(start == 0 ? encoding.Length + i : i, padding.PadId, padding.PadTypeId, attend: false);
            longer.Overflowing = encoding.Overflowing.Count == 0 ? [] : Pad(encoding.Overflowing, padding with { FixedLength = length, MultipleOf = null });
            padded.Add(longer);
        }
        return padded;
    }

    private static IReadOnlyList<TemplatePart> Template(PostProcessor? processor, bool pair, bool addSpecialTokens)
    {
        IReadOnlyList<TemplatePart> template = processor is null
            ? (pair ? [TemplatePart.First, TemplatePart.Second] : [TemplatePart.First])
            : pair ? processor.Pair : processor.Single;
        return addSpecialTokens ? template : [.. template.Where(p => p.Slot != TemplateSlot.Special)];
    }

    private static TokenEncoding Join(IReadOnlyList<TemplatePart> template, TokenEncoding first, TokenEncoding? second)
    {
        int length = template.Sum(p => p.Slot switch { TemplateSlot.First => first.Length, TemplateSlot.Second => second?.Length ?? 0, _ => p.Ids.Count });
        TokenEncoding joined = new(length);
        int at = 0;
        foreach (TemplatePart part in template)
        {
            if (part.Slot == TemplateSlot.Special)
            {
                foreach (int id in part.Ids)
                    joined.SetSpecial(at++, id, part.TypeId, attend: true);
                continue;
            }
            TokenEncoding source = part.Slot == TemplateSlot.First ? first : second!;
            joined.CopyFrom(source, 0, at, source.Length);
            Array.Fill(joined.TypeIds, part.TypeId, at, source.Length);
            at += source.Length;
        }
        return joined;
    }

    private static void Cut(List<TokenEncoding> firsts, List<TokenEncoding> seconds, int room, Truncation truncation)
    {
        int a = firsts[0].Length;
        int b = seconds.Count > 0 ? seconds[0].Length : 0;
        int excess = a + b - room;
        if (excess <= 0)
            return;
        if (seconds.Count == 0 && truncation.Strategy != TruncationStrategy.OnlySecond)
        {
            CutOne(firsts, room, truncation);
            return;
        }
        switch (truncation.Strategy)
        {
            case TruncationStrategy.OnlyFirst when a > excess:
                CutOne(firsts, a - excess, truncation);
                break;
            case TruncationStrategy.OnlySecond when b > excess:
                CutOne(seconds, b - excess, truncation);
                break;
            case TruncationStrategy.LongestFirst:
                // The shorter text keeps what it can; where both are cut, the first keeps the odd token (as transformers' own tokenizers do).
                int first = Math.Min(a, Math.Max(room - b, (room + 1) / 2));
                CutOne(firsts, first, truncation);
                CutOne(seconds, room - first, truncation);
                break;
            default:
                throw new ArgumentException($"Truncation: the text that {truncation.Strategy} cuts is too short to make up for {excess} tokens too many. Use {nameof(TruncationStrategy.LongestFirst)}, or a larger MaxLength.");
        }
    }

    private static void CutOne(List<TokenEncoding> parts, int length, Truncation truncation)
    {
        TokenEncoding whole = parts[0];
        if (whole.Length <= length)
            return;
        if (length == 0)
        {
            parts[0] = whole.Slice(0, 0);
            parts.Add(whole);
            return;
        }
        if (truncation.Stride < 0 || truncation.Stride >= length)
            throw new ArgumentException($"Truncation: Stride {truncation.Stride} is not between 0 and the {length} tokens that a part has room for, less one.");
        parts.Clear();
        int step = length - truncation.Stride;
        if (truncation.Direction == TextSide.Right)
        {
            for (int start = 0; start < whole.Length; start += step)
            {
                int end = Math.Min(start + length, whole.Length);
                parts.Add(whole.Slice(start, end - start));
                if (end == whole.Length)
                    break;
            }
            return;
        }
        for (int end = whole.Length; end > 0; end -= step)
        {
            int start = Math.Max(0, end - length);
            parts.Add(whole.Slice(start, end - start));
            if (start == 0)
                break;
        }
    }
}
