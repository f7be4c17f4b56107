# meetd alone: nothing but the program and the certificates of the authorities.
#   docker build -t meetd .
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# The time zones go into the program, since the image has none.
RUN CGO_ENABLED=0 go build -trimpath -tags timetzdata -ldflags='-s -w' -o /meetd ./cmd/meetd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /meetd /meetd
USER 65532:65532
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["/meetd", "health"]
ENTRYPOINT ["/meetd"]
CMD ["serve"]
