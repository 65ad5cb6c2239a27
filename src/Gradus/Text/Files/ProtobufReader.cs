using System.Buffers.Binary;

namespace Gradus.Text;

/// <summary>Reads the fields of one protobuf message in wire format. Source: protobuf.dev, "Encoding".</summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> data, string place)
{
    private readonly ReadOnlySpan<byte> _data = data;
    private int _at;
    private int _wire;

    /// <summary>The number of the field that was read.</summary>
    public int Field { get; private set; }

    /// <summary>The value of a varint or fixed field.</summary>
    public ulong Number { get; private set; }

    /// <summary>The value of a length-delimited field.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Reads the next field; false at the end.</summary>
    public bool Read()
    {
        if (_at >= _data.Length)
            return false;
        ulong key = Varint();
        Field = (int)Math.Min(key >> 3, int.MaxValue);
        _wire = (int)(key & 7);
        switch (_wire)
        {
            case 0:
                Number = Varint();
                break;
            case 1:
                Number = BinaryPrimitives.ReadUInt64LittleEndian(Take(8));
                break;
            case 2:
                ulong length = Varint();
                Bytes = Take(length > int.MaxValue ? -1 : (int)length);
                break;
            case 5:
                Number = BinaryPrimitives.ReadUInt32LittleEndian(Take(4));
                break;
            default:
                throw new InvalidDataException($"{place}: field {Field} at byte {_at} has wire type {_wire}, which is none; this is not a SentencePiece model, or it is damaged.");
        }
        return true;
    }

    /// <summary>The float of a fixed 32-bit field.</summary>
    public readonly float Single => BitConverter.UInt32BitsToSingle((uint)Number);

    /// <summary>The text of a length-delimited field.</summary>
    public readonly string Text => System.Text.Encoding.UTF8.GetString(Bytes);

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _data.Length - _at)
            throw new InvalidDataException($"{place}: field {Field} at byte {_at} goes past the end at {_data.Length}; the file is cut off or damaged.");
        ReadOnlySpan<byte> taken = _data.Slice(_at, count);
        _at += count;
        return taken;
    }

    private ulong Varint()
    {
        ulong value = 0;
        for (int shift = 0; shift < 64; shift += 7)
        {
            if (_at >= _data.Length)
                break;
            byte b = _data[_at++];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
                return value;
        }
        throw new InvalidDataException($"{place}: a number at byte {_at} does not end; the file is cut off or damaged.");
    }
}
