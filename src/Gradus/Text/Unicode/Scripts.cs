using System.IO.Compression;

namespace Gradus.Text;

/// <summary>The script (writing system) that a character belongs to.</summary>
internal static class Scripts
{
    /// <summary>Of no script: the space, and code points without a character.</summary>
    public const byte None = 0;

    private const int CodePoints = 0x110000;

    // Where each run of code points of one script starts, ascending, and that script.
    private static readonly (int[] Starts, byte[] Scripts) Runs = Load();

    /// <summary>The number of a code point's script; equal numbers are equal scripts.</summary>
    public static byte Of(int codePoint)
    {
        int at = Array.BinarySearch(Runs.Starts, codePoint);
        return Runs.Scripts[at >= 0 ? at : ~at - 1];
    }

    private static (int[] Starts, byte[] Scripts) Load()
    {
        using DeflateStream stream = new(new MemoryStream(Convert.FromBase64String(ScriptData.Base64)), CompressionMode.Decompress);
        using BinaryReader reader = new(stream);
        List<int> starts = [];
        List<byte> scripts = [];
        for (int at = 0; at < CodePoints;)
        {
            starts.Add(at);
            at += reader.Read7BitEncodedInt();
            scripts.Add((byte)reader.Read7BitEncodedInt());
        }
        return ([.. starts], [.. scripts]);
    }
}
