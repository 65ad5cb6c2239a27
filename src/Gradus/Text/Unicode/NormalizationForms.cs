// Unicode normal forms (UAX #15) over UTF-8. Text is gone through in stretches that begin with a character nothing before can change;
// only stretches that hold something to normalize are decomposed, ordered and composed.

using System.IO.Compression;
using System.Text;

namespace Gradus.Text;

/// <summary>The four Unicode normal forms.</summary>
public enum NormalForm
{
    /// <summary>Canonical composition.</summary>
    Nfc,

    /// <summary>Canonical decomposition.</summary>
    Nfd,

    /// <summary>Compatibility composition.</summary>
    Nfkc,

    /// <summary>Compatibility decomposition.</summary>
    Nfkd,
}

internal static class NormalizationForms
{
    private const int HangulBase = 0xAC00, HangulCount = 11172, LBase = 0x1100, VBase = 0x1161, TBase = 0x11A7, LCount = 19, VCount = 21, TCount = 28;
    private const int TableSize = 0x30000;

    private static readonly Tables Data = Tables.Load();

    /// <summary>Whether the text is certain to be in the form already; a false answer says nothing.</summary>
    public static bool IsNormalized(ReadOnlySpan<byte> text, NormalForm form)
    {
        int ascii = text.IndexOfAnyExceptInRange((byte)0, (byte)0x7F);
        if (ascii < 0)
            return true;
        for (int i = ascii; i < text.Length;)
        {
            int c = CharacterClasses.Decode(text, i, out int length);
            if (Touches(c, form))
                return false;
            i += length;
        }
        return true;
    }

    /// <summary>Brings a text into the form.</summary>
    public static void Apply(TextBuffer text, NormalForm form)
    {
        if (IsNormalized(text.Span, form))
            return;
        ReadOnlySpan<byte> source = text.Span;
        text.BeginRewrite();
        List<Point> points = [];
        int copied = 0;
        for (int i = 0; i < source.Length;)
        {
            int c = CharacterClasses.Decode(source, i, out int length);
            if (!Touches(c, form))
            {
                i += length;
                continue;
            }
            // A composing form may join the character to the one before it.
            bool composes = form is NormalForm.Nfc or NormalForm.Nfkc;
            int start = composes && i > copied ? CharacterClasses.Previous(source, i) : i;
            int end = i + length;
            while (end < source.Length && Touches(CharacterClasses.Decode(source, end, out length), form))
                end += length;
            text.Copy(copied, start - copied);
            EmitStretch(text, source, start, end, form, points);
            copied = i = end;
        }
        text.Copy(copied, source.Length - copied);
        text.EndRewrite();
    }

    /// <summary>Normalizes one string; for small texts.</summary>
    public static string Normalize(string text, NormalForm form)
    {
        TextBuffer buffer = new();
        buffer.Load(Encoding.UTF8.GetBytes(text), 0, track: false);
        Apply(buffer, form);
        return Encoding.UTF8.GetString(buffer.Span);
    }

    private static bool Touches(int c, NormalForm form)
    {
        return (uint)c < TableSize && (Data.Flags[c] & (1 << (int)form)) != 0;
    }

    private static void EmitStretch(TextBuffer text, ReadOnlySpan<byte> source, int start, int end, NormalForm form, List<Point> points)
    {
        bool compatibility = form is NormalForm.Nfkc or NormalForm.Nfkd;
        Span<byte> utf8 = stackalloc byte[4];
        List<int> parts = [];
        points.Clear();
        for (int i = start; i < end;)
        {
            int c = CharacterClasses.Decode(source, i, out int length);
            parts.Clear();
            Data.Decompose(c, compatibility, parts);
            foreach (int part in parts)
                points.Add(new Point(part, i, i + length));
            i += length;
        }
        Data.Order(points);
        if (form is NormalForm.Nfc or NormalForm.Nfkc)
            Data.Compose(points);
        foreach (Point p in points)
            text.Emit(utf8[..new Rune(p.Value).EncodeToUtf8(utf8)], p.Start, p.End);
    }

    /// <summary>A code point and the range of the source it stands for.</summary>
    private readonly record struct Point(int Value, int Start, int End);

    private sealed class Tables
    {
        /// <summary>Per code point, a bit for every form that may change it or what is around it.</summary>
        public readonly byte[] Flags = new byte[TableSize];

        private readonly byte[] _class = new byte[TableSize];
        private readonly Dictionary<int, int[]> _canonical = [];
        private readonly Dictionary<int, int[]> _compatible = [];
        private readonly Dictionary<(int, int), int> _pairs = [];

        public static Tables Load()
        {
            using MemoryStream packed = new(Convert.FromBase64String(NormalizationData.Base64));
            using DeflateStream deflate = new(packed, CompressionMode.Decompress);
            using MemoryStream data = new();
            deflate.CopyTo(data);
            Tables tables = new();
            tables.Read(data.GetBuffer());
            tables.SetFlags();
            return tables;
        }

        public int Class(int c) => (uint)c < TableSize ? _class[c] : 0;

        public void Decompose(int c, bool compatibility, List<int> result)
        {
            int s = c - HangulBase;
            if ((uint)s < HangulCount)
            {
                result.Add(LBase + (s / (VCount * TCount)));
                result.Add(VBase + (s % (VCount * TCount) / TCount));
                if (s % TCount != 0)
                    result.Add(TBase + (s % TCount));
                return;
            }
            if (_canonical.TryGetValue(c, out int[]? parts) || (compatibility && _compatible.TryGetValue(c, out parts)))
            {
                foreach (int part in parts)
                    Decompose(part, compatibility, result);
                return;
            }
            result.Add(c);
        }

        /// <summary>Sorts every run of marks by class, keeping equals in order.</summary>
        public void Order(List<Point> points)
        {
            for (int i = 1; i < points.Count; i++)
            {
                Point c = points[i];
                int mark = Class(c.Value);
                if (mark == 0)
                    continue;
                int k = i;
                while (k > 0 && Class(points[k - 1].Value) > mark)
                {
                    points[k] = points[k - 1];
                    k--;
                }
                points[k] = c;
            }
        }

        public void Compose(List<Point> points)
        {
            int starter = -1;
            int last = -1;
            int to = 0;
            for (int i = 0; i < points.Count; i++)
            {
                Point c = points[i];
                int mark = Class(c.Value);
                // A mark is blocked from its starter by one of the same or a higher class between them.
                if (starter >= 0 && (last < mark || last < 0) && Join(points[starter].Value, c.Value) is int joined and > 0)
                {
                    points[starter] = new Point(joined, Math.Min(points[starter].Start, c.Start), Math.Max(points[starter].End, c.End));
                    continue;
                }
                if (mark == 0)
                {
                    starter = to;
                    last = -1;
                }
                else
                {
                    last = mark;
                }
                points[to++] = c;
            }
            points.RemoveRange(to, points.Count - to);
        }

        private int Join(int a, int b)
        {
            if ((uint)(a - LBase) < LCount && (uint)(b - VBase) < VCount)
                return HangulBase + ((((a - LBase) * VCount) + b - VBase) * TCount);
            if ((uint)(a - HangulBase) < HangulCount && (a - HangulBase) % TCount == 0 && b > TBase && b < TBase + TCount)
                return a + b - TBase;
            return _pairs.TryGetValue((a, b), out int joined) ? joined : 0;
        }

        private void Read(byte[] data)
        {
            int at = 0;
            int c = 0;
            for (int runs = Next(); runs > 0; runs--)
            {
                c += Next();
                int count = Next();
                int mark = Next();
                Array.Fill(_class, (byte)mark, c, count);
                c += count;
            }
            ReadMappings(_canonical);
            ReadMappings(_compatible);

            void ReadMappings(Dictionary<int, int[]> mappings)
            {
                int from = 0;
                for (int n = Next(); n > 0; n--)
                {
                    from += Next();
                    int length = Next();
                    int[] parts = new int[length >> 1];
                    for (int i = 0; i < parts.Length; i++)
                        parts[i] = Next();
                    mappings[from] = parts;
                    if ((length & 1) != 0)
                        _pairs[(parts[0], parts[1])] = from;
                }
            }

            int Next()
            {
                int value = 0;
                for (int shift = 0; ; shift += 7)
                {
                    byte b = data[at++];
                    value |= (b & 0x7F) << shift;
                    if (b < 0x80)
                        return value;
                }
            }
        }

        private void SetFlags()
        {
            const int C = 1 << (int)NormalForm.Nfc, D = 1 << (int)NormalForm.Nfd, Kc = 1 << (int)NormalForm.Nfkc, Kd = 1 << (int)NormalForm.Nfkd;
            for (int c = 0; c < TableSize; c++)
            {
                if (_class[c] != 0)
                    Flags[c] = C | D | Kc | Kd;
            }
            foreach ((int _, int second) in _pairs.Keys)
                Flags[second] |= C | Kc;
            for (int i = 0; i < VCount; i++)
                Flags[VBase + i] |= C | Kc;
            for (int i = 1; i < TCount; i++)
                Flags[TBase + i] |= C | Kc;
            for (int i = 0; i < HangulCount; i++)
                Flags[HangulBase + i] |= D | Kd;
            HashSet<int> composites = [.. _pairs.Values];
            foreach (int c in _canonical.Keys)
            {
                Flags[c] |= D | Kd;
                if (!composites.Contains(c))
                    Flags[c] |= C | Kc;
            }
            foreach (int c in _compatible.Keys)
                Flags[c] |= Kc | Kd;
            SetInheritedFlags(Kc);
        }

        /// <summary>A character whose canonical parts have compatibility mappings changes under the compatibility forms.</summary>
        private void SetInheritedFlags(byte flag)
        {
            List<int> plain = [];
            List<int> full = [];
            foreach (int c in _canonical.Keys)
            {
                plain.Clear();
                full.Clear();
                Decompose(c, false, plain);
                Decompose(c, true, full);
                if (!plain.SequenceEqual(full))
                    Flags[c] |= flag;
            }
        }
    }
}
