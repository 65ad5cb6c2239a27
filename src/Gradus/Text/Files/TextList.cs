using System.Text;

namespace Gradus.Text;

/// <summary>A list of texts, end to end in one blob of UTF-8: hundreds of thousands cost no more than their bytes.</summary>
internal sealed class TextList(int capacity)
{
    private byte[] _blob = new byte[Math.Max(16, capacity * 8)];
    private int[] _ends = new int[Math.Max(16, capacity)];

    public int Count { get; private set; }

    /// <summary>The UTF-8 of a text.</summary>
    public ReadOnlySpan<byte> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
            int start = index == 0 ? 0 : _ends[index - 1];
            return _blob.AsSpan(start, _ends[index] - start);
        }
    }

    /// <summary>A text as a string.</summary>
    public string Text(int index) => Encoding.UTF8.GetString(this[index]);

    /// <summary>All texts.</summary>
    public string[] ToArray()
    {
        string[] texts = new string[Count];
        for (int i = 0; i < texts.Length; i++)
            texts[i] = Text(i);
        return texts;
    }

    /// <summary>Appends a text; bytes that are no UTF-8 become U+FFFD.</summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        if (!System.Text.Unicode.Utf8.IsValid(text))
            text = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text));
        int start = Count == 0 ? 0 : _ends[Count - 1];
        if (text.Length > _blob.Length - start)
            Array.Resize(ref _blob, Math.Max(checked(start + text.Length), (int)Math.Min(Array.MaxLength, _blob.Length * 2L)));
        if (Count == _ends.Length)
            Array.Resize(ref _ends, _ends.Length * 2);
        text.CopyTo(_blob.AsSpan(start));
        _ends[Count++] = start + text.Length;
    }
}
