using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Generation;

/// <summary>
/// The kept prefixes of an engine as a stream of bytes: a mark, the fingerprint of the model, the number of pages, then for each page
/// its parent's number (−1 for none), its tokens, and its keys and values; a SHA-256 of all that at the end. Little-endian. Prefixes that were read with an
/// adapter are left out: its name does not say what it is.
/// </summary>
internal static class PrefixFile
{
    private static ReadOnlySpan<byte> Mark => "GRADUSP1"u8;

    public static void Save(Stream stream, GenerativeModel model, PageTree tree, KvCache cache)
    {
        ArgumentNullException.ThrowIfNull(stream);
        PageTree.Node[] nodes = [.. tree.InOrder.Where(n => n.Adapter is null)];
        Dictionary<PageTree.Node, int> numbers = nodes.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Write(Mark);
        Write(Fingerprint(model));
        WriteNumber(cache.PageFloats);
        WriteNumber(nodes.Length);
        float[] values = new float[cache.PageFloats];
        foreach (PageTree.Node node in nodes)
        {
            WriteNumber(node.Parent!.Depth == 0 ? -1 : numbers[node.Parent]);
            Write(MemoryMarshal.AsBytes(node.Tokens.AsSpan()));
            cache.ReadPage(node.Page, values);
            Write(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        stream.Write(hash.GetHashAndReset());

        void WriteNumber(int number)
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, number);
            Write(bytes);
        }

        void Write(ReadOnlySpan<byte> bytes)
        {
            hash.AppendData(bytes);
            stream.Write(bytes);
        }
    }

    public static void Load(Stream stream, GenerativeModel model, PageTree tree, KvCache cache, int room)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] head = new byte[Mark.Length + SHA256.HashSizeInBytes];
        Read(head);
        if (!head.AsSpan(0, Mark.Length).SequenceEqual(Mark))
            throw new InvalidDataException("The file holds no prefixes of a generation engine.");
        if (!head.AsSpan(Mark.Length).SequenceEqual(Fingerprint(model)) || ReadNumber() != cache.PageFloats)
            throw new InvalidDataException("The prefixes are of another model, of other weights, or of another instruction set; let the engine read the prompts again.");
        int count = ReadNumber();
        List<PageTree.Node?> nodes = [];
        List<PageTree.Node> added = [];
        int[] tokens = new int[KvCache.PageSize];
        float[] values = new float[cache.PageFloats];
        try
        {
            for (int i = 0; i < count; i++)
            {
                int parent = ReadNumber();
                Read(MemoryMarshal.AsBytes(tokens.AsSpan()));
                Read(MemoryMarshal.AsBytes(values.AsSpan()));
                if (parent < -1 || parent >= i || Array.Exists(tokens, t => (uint)t >= (uint)model.Config.Vocabulary))
                    throw Damaged(null);
                PageTree.Node? before = parent < 0 ? tree.Root(null) : nodes[parent];
                nodes.Add(before is null ? null : tree.Find(before, tokens) ?? Take(before));
            }
            byte[] expected = hash.GetHashAndReset(), stored = new byte[expected.Length];
            stream.ReadExactly(stored);
            if (!stored.AsSpan().SequenceEqual(expected))
                throw Damaged(null);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException)
        {
            tree.Forget(added);
            throw e as InvalidDataException ?? Damaged(e);
        }

        // Where there is no room, what stands behind it has none either.
        PageTree.Node? Take(PageTree.Node before)
        {
            if (added.Count == room)
                return null;
            int page = cache.TakePage();
            cache.WritePage(page, values);
            PageTree.Node node = tree.Add(before, tokens, page);
            cache.ReturnPage(page);
            added.Add(node);
            return node;
        }

        int ReadNumber()
        {
            Span<byte> bytes = stackalloc byte[sizeof(int)];
            Read(bytes);
            return BinaryPrimitives.ReadInt32LittleEndian(bytes);
        }

        void Read(Span<byte> bytes)
        {
            try
            {
                stream.ReadExactly(bytes);
            }
            catch (EndOfStreamException e)
            {
                throw Damaged(e);
            }
            hash.AppendData(bytes);
        }
    }

    private static InvalidDataException Damaged(Exception? inner) => new("The file of prefixes is cut off or damaged; let the engine read the prompts again.", inner);

    // What the model is: its configuration, and the bits that it makes of a few tokens on this machine.
    private static byte[] Fingerprint(GenerativeModel model)
    {
        using Workspace workspace = model.Parts.Store.NewScratch();
        int[] tokens = [.. Enumerable.Range(0, Math.Min(8, model.Config.ContextLength)).Select(i => i * 31 % model.Config.Vocabulary)];
        float[] logits = model.Logits(new Pass(new TokenBatch(tokens), workspace)).ToArray();
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(System.Text.Encoding.UTF8.GetBytes(Architectures.ToJson(model.Config).ToJsonString()));
        hash.AppendData(MemoryMarshal.AsBytes(logits.AsSpan()));
        return hash.GetHashAndReset();
    }
}
