using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Tensors;
using Gradus.Tensors.Packed;

namespace Gradus.Files.Quantized;

/// <summary>
/// A weight as bitsandbytes stores it in 4 bits (Dettmers et al., "QLoRA", 2023): nibbles, the first in the high half of a byte, that index
/// <c>quant_map</c>, times the <c>absmax</c> of their block over the whole tensor; the latter may be bytes that index a map themselves
/// ("double quantization").
/// </summary>
internal sealed class FourBitLayout(Shape shape, DType type, int block, int nestedBlock, float offset) : DequantizedLayout(shape, type)
{
    private readonly Shape _shape = shape;

    /// <summary>The layout of a weight from its <c>quant_state</c>, its tensors checked against one another.</summary>
    /// <exception cref="InvalidDataException">They do not fit, or the state is damaged.</exception>
    public static MappedTensor Create(TensorFile file, string name, TensorEntry state)
    {
        StateFacts facts = StateFacts.Read(file, state);
        TensorEntry weight = file[name], absmax = file[name + ".absmax"], map = file[name + ".quant_map"];
        long count = facts.Shape.Count, blocks = (count + facts.Block - 1) / facts.Block;
        if (weight.DType != DType.U8 || weight.Shape.Count != (count + 1) / 2 || absmax.Shape.Count != blocks || map.Shape.Count != 16)
            throw Malformed.Tensor(file.Path, name, $"of the shape {weight.Shape} with {absmax.Shape.Count} scales does not hold {facts.Shape} in 4 bits and blocks of {facts.Block}; get the files again.");
        if (absmax.DType != DType.U8)
            return new MappedTensor(name, new FourBitLayout(facts.Shape, facts.Type, facts.Block, 0, 0), weight, map, absmax);
        TensorEntry nested = file[name + ".nested_absmax"], nestedMap = file[name + ".nested_quant_map"];
        if (nestedMap.Shape.Count != 256 || nested.Shape.Count != (blocks + facts.NestedBlock - 1) / facts.NestedBlock)
            throw Malformed.Tensor(file.Path, nested.Name, $"of the shape {nested.Shape} does not fit {blocks} scales in blocks of {facts.NestedBlock}; get the files again.");
        return new MappedTensor(name, new FourBitLayout(facts.Shape, facts.Type, facts.Block, facts.NestedBlock, facts.Offset), weight, map, absmax, nested, nestedMap);
    }

    /// <inheritdoc/>
    protected override void ReadRows(TensorFile file, IReadOnlyList<TensorEntry> sources, int first, Span<float> destination)
    {
        TensorBytes codes = file.Bytes(sources[0]);
        float[] map = Floats(file, sources[1]);
        ReadOnlySpan<byte> quantized = sources.Count > 3 ? Stored<byte>(file, sources[2]) : default;
        float[] absmax = Floats(file, sources[sources.Count > 3 ? 3 : 2]), nestedMap = sources.Count > 3 ? Floats(file, sources[4]) : [];
        long at = (long)first * _shape.Columns, firstByte = at / 2;
        ReadOnlySpan<byte> bytes = codes.Slice(firstByte, (int)(((at + destination.Length + 1) / 2) - firstByte));
        for (int i = 0; i < destination.Length; i++, at++)
        {
            int b = (int)(at / block);
            float scale = quantized.IsEmpty ? absmax[b] : (nestedMap[quantized[b]] * absmax[b / nestedBlock]) + offset;
            int code = bytes[(int)((at / 2) - firstByte)] >> (at % 2 == 0 ? 4 : 0) & 15;
            destination[i] = map[code] * scale;
        }
    }

    /// <summary>
    /// NF4 in blocks of 64 stays as it is: the scales too, where they are bytes in groups of 256 ("double quantization"). Weights are not
    /// rounded to the checkpoint's type then.
    /// </summary>
    public override PackedMatrix? ReadPacked(TensorFile file, IReadOnlyList<TensorEntry> sources, Workspace store)
    {
        if (_shape.Rank != 2 || block != NF4.Block || _shape[1] % NF4.Block != 0 || !Floats(file, sources[1]).AsSpan().SequenceEqual(NF4.Levels))
            return null;
        int rows = _shape[0], columns = _shape[1], rowBlocks = columns / NF4.Block;
        bool nested = sources.Count > 3;
        DoubleQuantizedScales? common = nested ? new DoubleQuantizedScales(offset, Floats(file, sources[3])) : null;
        if (nested && (nestedBlock != DoubleQuantizedScales.Blocks || !Floats(file, sources[4]).AsSpan().SequenceEqual(DoubleQuantizedScales.Map)))
            return null;
        PackedMatrix matrix = common is null ? new PackedMatrix(store, PackedFormats.Get("NF4"), rows, columns) : new PackedMatrix(store, rows, columns, common);
        TensorBytes codes = file.Bytes(sources[0]), scaleCodes = file.Bytes(sources[2]);
        float[] absmax = nested ? [] : Floats(file, sources[2]);
        Parallel.For(0, rows, row =>
        {
            long first = (long)row * rowBlocks;
            float[] scales = new float[rowBlocks];
            for (int i = 0; i < rowBlocks; i++)
                scales[i] = common is null ? absmax[first + i] : common.Decode(first + i, scaleCodes.Slice(first + i, 1)[0]);
            byte[] blocks = new byte[matrix.RowBytes];
            NF4.Import(codes.Slice(first * (NF4.Block / 2), columns / 2), scales, blocks);
            matrix.PutRows(row, blocks);
        });
        return matrix;
    }

    /// <summary>What the JSON of a <c>quant_state</c> says.</summary>
    private sealed record StateFacts(Shape Shape, DType Type, int Block, int NestedBlock, float Offset)
    {
        public static StateFacts Read(TensorFile file, TensorEntry state)
        {
            try
            {
                JsonObject json = JsonNode.Parse(file.Bytes(state).Span)!.AsObject();
                int[] axes = [.. json["shape"]!.AsArray().Select(a => a!.GetValue<int>())];
                int block = json["blocksize"]!.GetValue<int>(), nested = json["nested_blocksize"]?.GetValue<int>() ?? 256;
                if (axes.Length is < 1 or > Shape.MaxRank || axes.Any(a => a < 1) || block < 1 || nested < 1)
                    throw Malformed.Tensor(file.Path, state.Name, "gives an absurd shape or block size; get the files again.");
                DType type = (string?)json["dtype"] switch { "bfloat16" => DType.BF16, "float16" => DType.F16, _ => DType.F32 };
                return new StateFacts(new Shape(axes), type, block, nested, json["nested_offset"]?.GetValue<float>() ?? 0);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or NullReferenceException or FormatException or ArgumentException or OverflowException)
            {
                throw Malformed.Tensor(file.Path, state.Name, "is not the JSON of a bitsandbytes state; the file is damaged, get it again.");
            }
        }
    }
}

/// <summary>A weight as bitsandbytes stores it in 8 bits (Dettmers et al., "LLM.int8()", 2022): w = q · SCB / 127, with one SCB for each output.</summary>
internal sealed class EightBitLayout(Shape shape) : DequantizedLayout(shape, DType.F32)
{
    private readonly Shape _shape = shape;

    /// <summary>The layout of a weight, its scales checked.</summary>
    /// <exception cref="InvalidDataException">They do not fit, or the weight is in an order of some GPU.</exception>
    public static MappedTensor Create(TensorFile file, string stem)
    {
        TensorEntry weight = file[stem + ".weight"], scales = file[stem + ".SCB"];
        if (file.TryGet(stem + ".weight_format", out TensorEntry? format) && file.Bytes(format).Span.ContainsAnyExcept((byte)0))
            throw Malformed.Tensor(file.Path, format.Name, "asks for a GPU's order of rows; save the model with a newer bitsandbytes.");
        if (weight.DType != DType.I8 || weight.Shape.Rank != 2 || scales.Shape.Count != weight.Shape[0])
            throw Malformed.Tensor(file.Path, weight.Name, $"is {weight.TypeName} of the shape {weight.Shape} with {scales.Shape.Count} scales; LLM.int8() stores I8 with one for each row; get the files again.");
        return new MappedTensor(weight.Name, new EightBitLayout(weight.Shape), weight, scales);
    }

    /// <inheritdoc/>
    protected override void ReadRows(TensorFile file, IReadOnlyList<TensorEntry> sources, int first, Span<float> destination)
    {
        float[] scales = Floats(file, sources[1]);
        file.Read(sources[0], (long)first * _shape.Columns, destination);
        for (int i = 0; i < destination.Length; i++)
            destination[i] *= scales[first + (i / _shape.Columns)] / 127;
    }
}
