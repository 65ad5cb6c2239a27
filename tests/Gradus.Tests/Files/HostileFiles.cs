using System.Text.RegularExpressions;

namespace Gradus.Tests.Files;

/// <summary>What every reader of untrusted files must keep: one clear line, nothing absurd allocated, no other exception.</summary>
public static partial class HostileFiles
{
    /// <summary>Opening gives either a usable file or one InvalidDataException of one line, and allocates in proportion to the file.</summary>
    public static void Probe(string path, Action<string> open)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            open(path);
        }
        catch (InvalidDataException e)
        {
            AssertOneLine(e, path);
        }
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        long allowed = 8_000_000 + (new FileInfo(path).Length * 64);
        Assert.True(allocated < allowed, $"{allocated} bytes allocated for a file of {new FileInfo(path).Length}");
    }

    public static void AssertOneLine(Exception e, string path)
    {
        Assert.DoesNotContain('\n', e.Message);
        Assert.DoesNotContain('\r', e.Message);
        Assert.Contains(Path.GetFileName(path), e.Message, StringComparison.Ordinal);
        Assert.InRange(e.Message.Length, 20, 700);
        Assert.True(WhatToDo().IsMatch(e.Message), e.Message);
    }

    /// <summary>Opens every prefix of a file; none but the whole may succeed.</summary>
    public static void EveryTruncation(byte[] whole, TemporaryFolder folder, string name, Action<string> open)
    {
        for (int length = 0; length < whole.Length; length++)
        {
            string path = folder.Write(name, whole[..length]);
            InvalidDataException e = Assert.Throws<InvalidDataException>(() => open(path));
            AssertOneLine(e, path);
        }
        open(folder.Write(name, whole));
    }

    /// <summary>A fixed budget of random mutations: bytes changed, runs inserted, removed and doubled.</summary>
    public static void Fuzz(byte[] whole, int rounds, TemporaryFolder folder, string name, Action<string> open)
    {
        for (int seed = 0; seed < rounds; seed++)
        {
            Random random = new(seed);
            List<byte> bytes = [.. whole];
            for (int changes = random.Next(1, 6); changes > 0; changes--)
                Mutate(bytes, random);
            Probe(folder.Write(name, [.. bytes]), open);
        }
    }

    private static void Mutate(List<byte> bytes, Random random)
    {
        int at = random.Next(bytes.Count);
        int run = Math.Min(random.Next(1, 9), bytes.Count - at);
        switch (random.Next(6))
        {
            case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
            case 1: bytes[at] = (byte)random.Next(256); break;
            case 2: bytes[at] = (byte)"0123456789{}[]\",:-e."[random.Next(20)]; break;
            case 3: bytes.InsertRange(at, bytes.GetRange(at, run)); break;
            case 4 when bytes.Count > run: bytes.RemoveRange(at, run); break;
            default:
                for (int i = 0; i < run; i++)
                    bytes[at + i] = random.Next(2) == 0 ? (byte)0xFF : (byte)0;
                break;
        }
    }

    [GeneratedRegex("get it again|get them again|get the files again|save the model|is it a checkpoint|convert|is not an? |refused|too large|not supported|choose|damaged|get them into|use |open ")]
    private static partial Regex WhatToDo();
}
